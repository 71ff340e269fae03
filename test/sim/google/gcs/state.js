'use strict';
// Buckets, objects and upload sessions. Vertex AI reads and writes here as its service agent.

const crypto = require('crypto');
const { stamp, tick } = require('../times');
const { Hasher } = require('./hash');
const { Sink } = require('../sink');

class State {
  constructor(sim) {
    this.sim = sim;
    this.sessions = new Map();
    this.clear();
  }

  clear() {
    for (const session of this.sessions.values()) session.drop();
    this.stored = new Map();
    this.sessions = new Map();
  }

  bucket(name) {
    const { gcs_buckets: all } = this.sim.config;
    return Object.hasOwn(all, name)
      ? { location: 'US', project: Object.keys(this.sim.config.google_projects)[0], ...all[name] }
      : null;
  }

  // Name -> object of a bucket.
  objects(bucket) {
    if (!this.stored.has(bucket)) this.stored.set(bucket, new Map());
    return this.stored.get(bucket);
  }

  // Objects in the order of their names' bytes.
  sorted(bucket) {
    return [...this.objects(bucket).values()].sort((a, b) =>
      Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
    );
  }

  // Makes an object of a sink. hashes: its digest; traits: {type, metadata}
  put(bucket, name, sink, hashes, traits) {
    this.remove(bucket, name);
    const micros = tick();
    const object = {
      bucket,
      name,
      data: sink.close(),
      hashes,
      generation: String(micros),
      created: stamp(micros),
      ...traits,
    };
    this.objects(bucket).set(name, object);
    return object;
  }

  remove(bucket, name) {
    const object = this.objects(bucket).get(name);
    if (!object) return;
    this.sim.store.remove(object.data);
    this.objects(bucket).delete(name);
  }

  // What an object is written to before it is put.
  sink() {
    return new Sink(this.sim, new Hasher());
  }

  newId() {
    return crypto.randomBytes(48).toString('base64url');
  }

  files() {
    const objects = [...this.stored.values()].flatMap((kept) => [...kept.values()]);
    const sessions = [...this.sessions.values()].filter((session) => session.open);
    const last = (name) => name.split('/').pop();
    return [
      ...objects.map((o) => ({
        id: `gs://${o.bucket}/${o.name}`,
        purpose: 'gcs',
        filename: last(o.name),
        bytes: o.data.size,
      })),
      ...sessions.map((s) => ({
        id: s.id,
        purpose: 'gcs-upload',
        filename: last(s.name),
        bytes: s.size,
      })),
    ];
  }
}

module.exports = { State };
