'use strict';
// The two hashes that Cloud Storage keeps of every object: MD5 and CRC32C, both in base64.

const crypto = require('crypto');

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  return c >>> 0;
});

class Hasher {
  constructor() {
    Object.assign(this, { md5: crypto.createHash('md5'), crc: 0xffffffff });
  }

  update(buffer) {
    this.md5.update(buffer);
    let c = this.crc;
    for (let i = 0; i < buffer.length; i++) c = (c >>> 8) ^ TABLE[(c ^ buffer[i]) & 255];
    this.crc = c;
  }

  // Once.
  digest() {
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(~this.crc >>> 0);
    return { md5Hash: this.md5.digest('base64'), crc32c: sum.toString('base64') };
  }
}

module.exports = { Hasher };
