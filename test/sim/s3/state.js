'use strict';
// Buckets, objects and uploads. Other simulated services read and write here on behalf of their
// roles.

const crypto = require('crypto');

class State {
  constructor(sim) {
    this.sim = sim;
    this.seed = crypto.randomBytes(6).toString('base64').replace(/[+/=]/g, 'x');
    this.ids = 0;
    this.clear();
  }

  // made: name -> bucket, or null for one of the configuration that was removed.
  clear() {
    this.made = new Map();
    this.stored = new Map();
    this.uploads = new Map();
  }

  bucket(name) {
    if (this.made.has(name)) return this.made.get(name);
    return Object.hasOwn(this.sim.config.s3_buckets, name)
      ? this.sim.config.s3_buckets[name]
      : null;
  }

  // Key -> object of a bucket.
  objects(bucket) {
    if (!this.stored.has(bucket)) this.stored.set(bucket, new Map());
    return this.stored.get(bucket);
  }

  // [key, object] in the order of bytes.
  sorted(bucket) {
    return [...this.objects(bucket)].sort(([a], [b]) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
  }

  put(bucket, key, object) {
    this.remove(bucket, key);
    const whole = { modified: Date.now(), checksums: {}, ...object };
    this.objects(bucket).set(key, whole);
    return whole;
  }

  remove(bucket, key) {
    const object = this.objects(bucket).get(key);
    if (!object) return;
    this.sim.store.remove(object.data);
    this.objects(bucket).delete(key);
  }

  drop(upload) {
    for (const { data } of upload.parts.values()) this.sim.store.remove(data);
    this.uploads.delete(upload.id);
  }

  // With characters that a query must encode, like some of the service's own.
  newId() {
    return `${this.seed}/${++this.ids}=`;
  }

  files() {
    const objects = [...this.stored].flatMap(([bucket, kept]) =>
      [...kept].map(([key, { data }]) => ({
        id: `s3://${bucket}/${key}`,
        purpose: 's3',
        filename: key.split('/').pop(),
        bytes: data.size,
      })),
    );
    const uploads = [...this.uploads.values()].map((u) => ({
      id: u.id,
      purpose: 's3-upload',
      filename: u.key.split('/').pop(),
      bytes: [...u.parts.values()].reduce((n, p) => n + p.data.size, 0),
    }));
    return [...objects, ...uploads];
  }
}

module.exports = { State };
