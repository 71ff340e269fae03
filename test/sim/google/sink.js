'use strict';
// A file that is hashed as it is written. hasher: {update(bytes)}, of which the owner knows what it digests.

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
    this.hasher.update(Buffer.from(`${text}\n`));
    this.out.line(text);
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
