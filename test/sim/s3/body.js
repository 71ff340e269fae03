'use strict';
// Takes the body of an upload as it streams: aws-chunked framing, length, hashes, checksums. Keeps
// no body in memory.

const crypto = require('crypto');
const zlib = require('zlib');
const { refuse } = require('./errors');
const { STREAMING } = require('./auth');

const MAX_PUT = 5 * 1024 ** 3;
const CHECKSUMS = ['crc32', 'sha256'];
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

function crc32(buffer, before) {
  if (zlib.crc32) return zlib.crc32(buffer, before);
  let c = ~before >>> 0;
  for (const byte of buffer) c = (c >>> 8) ^ TABLE[(c ^ byte) & 255];
  return ~c >>> 0;
}

// The frames of aws-chunked; the trailers are there at the end.
class Unchunk {
  constructor() {
    Object.assign(this, { state: 'size', line: '', left: 0, trailers: {} });
  }

  *push(buffer) {
    for (let i = 0; i < buffer.length;) {
      if (this.state === 'data') {
        const piece = buffer.subarray(i, i + this.left);
        yield piece;
        i += piece.length;
        this.left -= piece.length;
        if (!this.left) this.state = 'gap';
      } else {
        const byte = buffer[i++];
        if (byte !== 10) this.line += String.fromCharCode(byte);
        else this.endLine(this.line.replace(/\r$/, ''));
        if (this.line.length > 1000) this.broken();
      }
    }
  }

  endLine(line) {
    this.line = '';
    if (this.state === 'gap') {
      if (line) this.broken();
      this.state = 'size';
    } else if (this.state === 'size') {
      if (!/^[0-9a-f]+$/i.test(line)) this.broken();
      this.left = parseInt(line, 16);
      this.state = this.left ? 'data' : 'trailer';
    } else if (line) {
      const at = line.indexOf(':');
      this.trailers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
    } else this.state = 'over';
  }

  broken() {
    refuse(400, 'InvalidChunkSizeError', 'The chunks of the body are not framed as aws-chunked.');
  }
}

// Streams the body into a file: {data, md5 (hex), checksums}. Nothing is left on disk if it is
// refused.
async function receive(ctx) {
  const headers = ctx.req.headers;
  const framed = headers['x-amz-content-sha256'] === STREAMING;
  checkLength(headers, framed);
  const writer = ctx.sim.store.create();
  try {
    const got = await take(ctx.req, writer, framed ? new Unchunk() : null);
    const wanted = { ...headers, ...got.trailers };
    judge(wanted, got, framed);
    return { data: writer.close(), md5: got.md5.toString('hex'), checksums: pick(wanted) };
  } catch (error) {
    ctx.sim.store.remove(writer.close());
    throw error;
  }
}

const pick = (headers) =>
  Object.fromEntries(
    CHECKSUMS.map((c) => `x-amz-checksum-${c}`)
      .filter((name) => name in headers)
      .map((name) => [name, headers[name]]),
  );

function checkLength(headers, framed) {
  const unknown = Object.keys(headers).find(
    (name) => /^x-amz-checksum-(crc|sha)/.test(name) && !CHECKSUMS.includes(name.slice(15)),
  );
  if (unknown)
    refuse(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
      { Header: unknown },
    );
  const length = framed ? headers['x-amz-decoded-content-length'] : headers['content-length'];
  if (!framed && headers['transfer-encoding'])
    refuse(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
      { Header: 'Transfer-Encoding' },
    );
  if (length === undefined)
    refuse(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
  if (Number(length) > MAX_PUT)
    refuse(400, 'EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
      ProposedSize: length,
      MaxSizeAllowed: MAX_PUT,
    });
}

async function take(req, writer, frames) {
  const [sha, md5] = [crypto.createHash('sha256'), crypto.createHash('md5')];
  let crc = 0;
  for await (const chunk of req) {
    for (const piece of frames ? frames.push(chunk) : [chunk]) {
      sha.update(piece);
      md5.update(piece);
      crc = crc32(piece, crc);
      writer.write(piece);
    }
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc);
  return {
    size: writer.size,
    sha: sha.digest(),
    md5: md5.digest(),
    crc: sum,
    trailers: frames ? frames.trailers : {},
    whole: !frames || frames.state === 'over',
  };
}

function judge(headers, got, framed) {
  const hash = headers['x-amz-content-sha256'];
  if (!got.whole || (framed && got.size !== Number(headers['x-amz-decoded-content-length'])))
    refuse(
      400,
      'IncompleteBody',
      'You did not provide the number of bytes specified by the Content-Length HTTP header.',
    );
  if (/^[0-9a-f]{64}$/.test(hash) && hash !== got.sha.toString('hex'))
    refuse(
      400,
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
      { ClientComputedContentSHA256: hash, S3ComputedContentSHA256: got.sha.toString('hex') },
    );
  if (headers['content-md5'] !== undefined && headers['content-md5'] !== got.md5.toString('base64'))
    refuse(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
  const announced = headers['x-amz-trailer'];
  if (announced && !(announced in headers))
    refuse(
      400,
      'MalformedTrailerError',
      'The request contained trailing data that was not well-formed or did not conform to our ' +
        'published schema.',
    );
  for (const [name, sum] of [
    ['crc32', got.crc],
    ['sha256', got.sha],
  ]) {
    const wanted = headers[`x-amz-checksum-${name}`];
    if (wanted !== undefined && wanted !== sum.toString('base64'))
      refuse(
        400,
        'BadDigest',
        `The ${name.toUpperCase()} you specified did not match the calculated checksum.`,
      );
  }
}

module.exports = { receive };
