'use strict';
// The input of a job in its bucket: which objects, where the lines lie in them, and what the import
// says of them.

const fs = require('fs');
const { allowed } = require('../gcs/auth');
const { CODES } = require('../errors');
const { agentOf, principalOf } = require('../identity/access');
const { isObject } = require('../params');
const { linesOf, readAt } = require('../../openai/lines');

const GCS_URI = /^gs:\/\/([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])\/(.*)$/;
const uriOf = (uri) => {
  const found = GCS_URI.exec(typeof uri === 'string' ? uri : '');
  return found && { bucket: found[1], name: found[2] };
};

// Why a job fails: a google.rpc.Status.
class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = { code: CODES[status], message };
  }
}

// Vertex AI's agent of the job's project may do this in a bucket near the job, or the job fails.
function needAccess(sim, job, name, permission) {
  const bucket = sim.gcs.bucket(name);
  if (!bucket) throw new Failure('NOT_FOUND', `The specified bucket does not exist: ${name}.`);
  const agent = principalOf(sim, agentOf(job.number));
  if (!allowed(agent, bucket, permission))
    throw new Failure(
      'PERMISSION_DENIED',
      `${agent.email} does not have ${permission} access to the Google Cloud Storage object. ` +
        `Permission '${permission}' denied on resource (or it may not exist).`,
    );
  const near =
    !/-/.test(bucket.location) ||
    ['global', 'us', 'eu'].includes(job.location) ||
    bucket.location.toLowerCase() === job.location;
  if (!near)
    throw new Failure(
      'FAILED_PRECONDITION',
      `The bucket ${name} is in ${bucket.location}, the job in ${job.location}.`,
    );
}

// [{name, fd, size, spans}] of the job's input, open; the caller closes. One * may stand for a part
// of the name.
function openInput(sim, job) {
  const { bucket, name } = uriOf(job.input);
  needAccess(sim, job, bucket, 'storage.objects.get');
  const [begin, end] = name.split('*');
  const fits = (o) =>
    end === undefined
      ? o.name === name
      : o.name.startsWith(begin) &&
        o.name.endsWith(end) &&
        o.name.length >= begin.length + end.length;
  const found = sim.gcs.sorted(bucket).filter(fits);
  if (!found.length) throw new Failure('NOT_FOUND', `No files were found at ${job.input}.`);
  const most = sim.config.vertex_max_file_bytes;
  if (found.some((o) => o.data.size > most))
    throw new Failure(
      'INVALID_ARGUMENT',
      `The input file exceeds the maximum size of ${most} bytes.`,
    );
  return found.map((o) => ({ name: o.name, fd: fs.openSync(o.data.path, 'r'), spans: [] }));
}

// Fills spans and judges every line; yields now and then.
function* scan(file, kind) {
  for (const { bytes, offset } of linesOf(file.fd)) {
    const text = bytes.toString();
    if (text.trim()) {
      checkLine(text, kind, offset);
      file.spans.push(offset, bytes.length);
    }
    yield;
  }
}

const NEEDED = {
  gemini: ['request'],
  embedding: ['request'],
  legacy: ['content'],
  claude: ['custom_id', 'request'],
};

function checkLine(text, kind, offset) {
  const failed = (why) => {
    throw new Failure(
      'INVALID_ARGUMENT',
      `Failed to import data. Error while reading data, error message: ${why}; line starts at ` +
        `position ${offset}.`,
    );
  };
  let line;
  try {
    line = JSON.parse(text);
  } catch {
    failed('JSON parsing error in row');
  }
  if (!isObject(line) || text.includes('[[sim:invalid_line]]'))
    failed('Failed to parse JSON: Not an object');
  const missing = NEEDED[kind].find((name) => line[name] === undefined || line[name] === null);
  if (missing) failed(`Required field ${missing} is missing`);
}

const lineAt = ({ fd, spans }, index) =>
  JSON.parse(readAt(fd, spans[2 * index], spans[2 * index + 1]).toString());

module.exports = { uriOf, needAccess, openInput, scan, lineAt, Failure };
