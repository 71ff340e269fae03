'use strict';
// What a resumable upload takes of a request: whole blocks of 256 KiB as they come, what is left
// over with the request's end.

const BLOCK = 256 * 1024;

// from: where the request's bytes begin; what sink {size, write} has already is passed over, beyond
// `most` bytes nothing is kept.
// Returns {got, whole, keepRest()}: how many came, whether the request ended in good order, and
// what then keeps the left-over.
async function takeBlocks(req, sink, from, most = Infinity) {
  let [at, rest] = [from, Buffer.alloc(0)];
  const keep = (bytes) =>
    sink.write(bytes.subarray(0, Math.max(0, Math.min(bytes.length, most - sink.size))));
  try {
    for await (const chunk of req) {
      const fresh = chunk.subarray(
        Math.max(0, Math.min(chunk.length, sink.size + rest.length - at)),
      );
      at += chunk.length;
      rest = rest.length ? Buffer.concat([rest, fresh]) : fresh;
      const blocks = rest.length - (rest.length % BLOCK);
      if (blocks) keep(rest.subarray(0, blocks));
      rest = Buffer.from(rest.subarray(blocks));
    }
  } catch {
    return { got: at - from, whole: false };
  }
  return { got: at - from, whole: true, keepRest: () => keep(rest) };
}

module.exports = { takeBlocks, BLOCK };
