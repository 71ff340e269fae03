'use strict';
// The input of a job in its bucket: which objects, where the records lie in them, and what validation says of them.

const fs = require('fs');
const { may } = require('../s3/auth');

const S3_URI = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[-!_*'().a-z0-9A-Z]+)*\/?)$/;
const uriOf = (uri) => {
  const found = S3_URI.exec(uri || '');
  return found && { bucket: found[1], key: found[2].slice(1) };
};

// A problem is a text: the job's message when it fails.
class Invalid extends Error {}

// The role's view of a bucket, or why not.
function bucketFor(sim, role, { bucket: name }, action, owner) {
  const bucket = sim.s3.bucket(name);
  const known = bucket && (owner === undefined || owner === (bucket.owner || sim.config.aws_account));
  if (!known || !may(sim, bucket, role, action)) throw new Invalid(`Could not validate ${action.slice(3)} permissions to access Amazon S3 bucket: ${name}. Please ensure that the role has the required permissions and the bucket exists.`);
  return bucket;
}

// [{name, fd, spans}] of all .jsonl files at the uri; Invalid if any rule is broken. The caller closes.
function openInput(sim, role, { s3Uri: uri, s3BucketOwner: owner }) {
  const place = uriOf(uri);
  bucketFor(sim, role, place, 's3:GetObject', owner);
  const exact = sim.s3.objects(place.bucket).get(place.key);
  const prefix = place.key === '' || place.key.endsWith('/') ? place.key : `${place.key}/`;
  const found = exact ? [[place.key, exact]] : sim.s3.sorted(place.bucket).filter(([key]) => key.startsWith(prefix) && key.endsWith('.jsonl'));
  if (!found.length || !found[0][0].endsWith('.jsonl')) throw new Invalid(`No .jsonl input files were found at ${uri}.`);
  const { bedrock_max_file_bytes: most, bedrock_max_job_bytes: mostTogether } = sim.config;
  if (found.some(([, o]) => o.data.size > most)) throw new Invalid(`An input file exceeds the maximum size of ${most} bytes.`);
  if (found.reduce((n, [, o]) => n + o.data.size, 0) > mostTogether) throw new Invalid(`The input files exceed the maximum job size of ${mostTogether} bytes.`);
  return found.map(([key, object]) => ({ name: key.split('/').pop(), fd: fs.openSync(object.data.path, 'r'), spans: [], size: object.data.size }));
}

// Fills spans and judges every line; yields now and then.
function* scan(file) {
  const piece = Buffer.alloc(1 << 20);
  let [from, rest] = [0, Buffer.alloc(0)];
  for (let n = fs.readSync(file.fd, piece, 0, piece.length, 0), at = 0; n > 0; n = fs.readSync(file.fd, piece, 0, piece.length, at)) {
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
  if (record === null || typeof record !== 'object' || !('modelInput' in record)) throw new Invalid(`Line ${number} of ${file.name} has no modelInput.`);
  if (record.recordId !== undefined && typeof record.recordId !== 'string') throw new Invalid(`The recordId in line ${number} of ${file.name} is no string.`);
  if (text.includes('[[sim:invalid_line]]')) throw new Invalid(`Line ${number} of ${file.name} is invalid.`);
  file.spans.push(from, bytes.length);
}

function recordAt({ fd, spans }, index) {
  const bytes = Buffer.alloc(spans[2 * index + 1]);
  fs.readSync(fd, bytes, 0, bytes.length, spans[2 * index]);
  return JSON.parse(bytes.toString());
}

module.exports = { uriOf, bucketFor, openInput, scan, recordAt, Invalid };
