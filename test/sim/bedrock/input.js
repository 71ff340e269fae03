'use strict';
// The input of a job in its bucket: which objects, where the records lie in them, and what
// validation says of them.

const fs = require('fs');
const { storeFor, Forbidden } = require('./storage');

const S3_URI = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[-!_*'().a-z0-9A-Z]+)*\/?)$/;
const uriOf = (uri) => {
  const found = S3_URI.exec(uri || '');
  return found && { bucket: found[1], key: found[2].slice(1) };
};

// A problem is a text: the job's message when it fails.
class Invalid extends Error {}

// [{name, fd, spans, size}] of all .jsonl files at the uri; Invalid if any rule is broken. The
// caller closes.
async function openInput(sim, role, { s3Uri: uri, s3BucketOwner: owner }) {
  const place = uriOf(uri);
  const store = storeFor(sim, role, place.bucket, owner);
  const found = inputsOf(
    await allowed(store, place.bucket, 'GetObject', () => store.list(place.key)),
    place.key,
  );
  if (!found.length) throw new Invalid(`No .jsonl input files were found at ${uri}.`);
  const { bedrock_max_file_bytes: most, bedrock_max_job_bytes: mostTogether } = sim.config;
  if (found.some(([, size]) => size > most))
    throw new Invalid(`An input file exceeds the maximum size of ${most} bytes.`);
  if (found.reduce((n, [, size]) => n + size, 0) > mostTogether)
    throw new Invalid(`The input files exceed the maximum job size of ${mostTogether} bytes.`);
  const files = [];
  for (const [key, size] of found)
    files.push({ name: key.split('/').pop(), fd: await store.open(key), spans: [], size });
  return files;
}

// Of the objects whose keys begin with key: the one, or what is in the folder.
function inputsOf(objects, key) {
  const folder = key === '' || key.endsWith('/') ? key : `${key}/`;
  const exact = objects.filter(([name]) => name === key);
  return (exact.length ? exact : objects.filter(([name]) => name.startsWith(folder))).filter(
    ([name]) => name.endsWith('.jsonl'),
  );
}

// What the store does, as the role may; Invalid if it may not.
async function allowed(store, bucket, action, what) {
  try {
    store.need(`s3:${action}`);
    return await what();
  } catch (error) {
    if (!(error instanceof Forbidden)) throw error;
    throw new Invalid(
      `Could not validate ${action} permissions to access Amazon S3 bucket: ${bucket}. Please ` +
        'ensure that the role has the required permissions and the bucket exists.',
    );
  }
}

// Fills spans and judges every line; yields now and then.
function* scan(file) {
  const piece = Buffer.alloc(1 << 20);
  let [from, rest] = [0, Buffer.alloc(0)];
  for (
    let n = fs.readSync(file.fd, piece, 0, piece.length, 0), at = 0;
    n > 0;
    n = fs.readSync(file.fd, piece, 0, piece.length, at)
  ) {
    at += n;
    rest = Buffer.concat([rest, piece.subarray(0, n)]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      take(file, from, rest.subarray(0, end));
      from += end + 1;
      rest = rest.subarray(end + 1);
      yield;
    }
  }
  take(file, from, rest);
}

function take(file, from, bytes) {
  const text = bytes.toString();
  if (!text.trim()) return;
  const number = file.spans.length / 2 + 1;
  let record;
  try {
    record = JSON.parse(text);
  } catch {
    throw new Invalid(`Line ${number} of ${file.name} is not valid JSON.`);
  }
  if (record === null || typeof record !== 'object' || !('modelInput' in record))
    throw new Invalid(`Line ${number} of ${file.name} has no modelInput.`);
  if (record.recordId !== undefined && typeof record.recordId !== 'string')
    throw new Invalid(`The recordId in line ${number} of ${file.name} is no string.`);
  if (text.includes('[[sim:invalid_line]]'))
    throw new Invalid(`Line ${number} of ${file.name} is invalid.`);
  file.spans.push(from, bytes.length);
}

function recordAt({ fd, spans }, index) {
  const bytes = Buffer.alloc(spans[2 * index + 1]);
  fs.readSync(fd, bytes, 0, bytes.length, spans[2 * index]);
  return JSON.parse(bytes.toString());
}

module.exports = { uriOf, allowed, openInput, scan, recordAt, Invalid };
