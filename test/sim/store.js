'use strict';
// Bytes on disk: one private temporary folder, removed when the process ends. Files here are plain
// {path, size}.

const fs = require('fs');
const os = require('os');
const path = require('path');

const { spoil } = require('./wild');

const BUFFER_BYTES = 1 << 20;

class Store {
  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-sim-'));
    this.count = 0;
    process.on('exit', () => fs.rmSync(this.folder, { recursive: true, force: true }));
  }

  // A file to be written from start to end; close() makes it a {path, size}.
  create() {
    return new Writer(path.join(this.folder, String(++this.count)));
  }

  remove(file) {
    fs.rmSync(file.path, { force: true });
  }

  clear() {
    for (const name of fs.readdirSync(this.folder))
      fs.rmSync(path.join(this.folder, name), { force: true });
  }
}

class Writer {
  constructor(name) {
    this.path = name;
    this.fd = fs.openSync(name, 'wx', 0o600);
    this.size = 0;
    this.lines = [];
    this.pending = 0;
  }

  write(buffer) {
    fs.writeSync(this.fd, buffer);
    this.size += buffer.length;
  }

  // Appends text and a newline, buffered.
  line(given) {
    this.append(spoil(given));
  }

  // The same of text or bytes, as they are.
  append(text) {
    if (Buffer.isBuffer(text)) {
      this.flush();
      this.write(Buffer.concat([text, Buffer.from('\n')]));
      return;
    }
    this.lines.push(text);
    this.pending += text.length;
    if (this.pending >= BUFFER_BYTES) this.flush();
  }

  flush() {
    if (!this.lines.length) return;
    this.write(Buffer.from(`${this.lines.join('\n')}\n`));
    this.lines = [];
    this.pending = 0;
  }

  // May be called again.
  close() {
    if (this.fd !== null) {
      this.flush();
      fs.closeSync(this.fd);
      this.fd = null;
    }
    return { path: this.path, size: this.size };
  }
}

module.exports = { Store };
