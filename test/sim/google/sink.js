'use strict';
// A file that is hashed as it is written. hasher: {update(bytes)}, of which the owner knows what it
// digests.

const { spoil } = require('../wild');

class Sink {
  constructor(sim, hasher) {
    Object.assign(this, { sim, hasher, out: sim.store.create() });
  }

  write(bytes) {
    this.hasher.update(bytes);
    this.out.write(bytes);
  }

  // Text and a newline, buffered.
  line(text) {
    const line = spoil(text);
    this.hasher.update(Buffer.concat([Buffer.from(line), Buffer.from('\n')]));
    this.out.append(line);
  }

  get size() {
    return this.out.size;
  }

  // {path, size}
  close() {
    return this.out.close();
  }

  drop() {
    this.sim.store.remove(this.out.close());
  }
}

module.exports = { Sink };
