'use strict';
// A strict streaming parser of multipart/form-data and multipart/related. Memory stays flat: bytes
// of a part go to its sink as they come. Not tolerated: a preamble, form parts without a name, a
// missing final boundary.

const MAX_HEAD = 16 * 1024;

// Reads the whole request. open({name, filename, type}) returns a sink {write(buffer), end()};
// related parts have only a type.
// Always consumes the request to its end; throws an Error at the end if anything was wrong.
async function parseMultipart(req, open, kind = 'form-data') {
  const parser = new Parser(boundaryOf(req.headers['content-type'], kind), (head) =>
    open(describe(head, kind)),
  );
  let failure = null;
  for await (const chunk of req) {
    if (failure) continue;
    try {
      parser.push(chunk);
    } catch (error) {
      failure = error;
    }
  }
  if (failure) throw failure;
  parser.finish();
}

function boundaryOf(contentType, kind) {
  const found = /^multipart\/([a-z-]+)\s*;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*$/i.exec(
    contentType || '',
  );
  if (!found || found[1].toLowerCase() !== kind)
    throw new Error('multipart boundary missing or malformed');
  return found[2] || found[3];
}

class Parser {
  constructor(boundary, open) {
    this.delimiter = Buffer.from(`\r\n--${boundary}`);
    this.open = open;
    this.rest = Buffer.from('\r\n'); // so that the first boundary looks like the others
    this.state = this.atStart;
    this.sink = null;
  }

  push(chunk) {
    this.rest = this.rest.length ? Buffer.concat([this.rest, chunk]) : chunk;
    while (this.state());
  }

  finish() {
    if (this.state !== this.atEpilogue) throw new Error('multipart body ends early');
  }

  // Each state consumes from this.rest; true means progress was made.
  atStart() {
    if (this.rest.length < this.delimiter.length) return false;
    if (!this.rest.subarray(0, this.delimiter.length).equals(this.delimiter))
      throw new Error('multipart body does not start with its boundary');
    return this.go(this.delimiter.length, this.afterBoundary);
  }

  afterBoundary() {
    if (this.rest.length < 2) return false;
    const mark = this.rest.toString('latin1', 0, 2);
    if (mark === '--') return this.go(2, this.atEpilogue);
    if (mark !== '\r\n') throw new Error('malformed multipart boundary line');
    return this.go(2, this.inHead);
  }

  inHead() {
    const end = this.rest.indexOf('\r\n\r\n');
    if (end < 0 && this.rest.length > MAX_HEAD) throw new Error('multipart part headers too long');
    if (end < 0) return false;
    this.sink = this.open(this.rest.toString('utf8', 0, end));
    return this.go(end + 4, this.inBody);
  }

  inBody() {
    const end = this.rest.indexOf(this.delimiter);
    if (end >= 0) {
      this.sink.write(this.rest.subarray(0, end));
      this.sink.end();
      return this.go(end + this.delimiter.length, this.afterBoundary);
    }
    const safe = this.rest.length - this.delimiter.length + 1;
    if (safe > 0) {
      this.sink.write(this.rest.subarray(0, safe));
      this.rest = this.rest.subarray(safe);
    }
    return false;
  }

  atEpilogue() {
    if (this.rest.length > 2 || !'\r\n'.startsWith(this.rest.toString('latin1')))
      throw new Error('bytes after the final multipart boundary');
    return false;
  }

  go(bytes, state) {
    this.rest = this.rest.subarray(bytes);
    this.state = state;
    return true;
  }
}

function parseHead(text) {
  return Object.fromEntries(
    text.split('\r\n').map((line) => {
      const colon = line.indexOf(':');
      if (colon < 1) throw new Error('malformed multipart part header');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function describe(head, kind) {
  const headers = parseHead(head);
  if (kind === 'related') return { type: headers['content-type'] };
  const disposition = headers['content-disposition'] || '';
  const name = parameter(disposition, 'name');
  if (!/^form-data\s*;/i.test(disposition) || name === undefined)
    throw new Error('multipart part without a name');
  return { name, filename: parameter(disposition, 'filename'), type: headers['content-type'] };
}

function parameter(header, key) {
  const found = new RegExp(`;\\s*${key}="((?:[^"\\\\]|\\\\.)*)"`, 'i').exec(header);
  return found ? found[1].replace(/\\(.)/g, '$1') : undefined;
}

module.exports = { parseMultipart };
