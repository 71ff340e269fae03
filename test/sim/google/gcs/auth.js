'use strict';
// Who asks Cloud Storage, for which bucket, and whether they may.

const { may } = require('../identity/access');
const { CLOUD } = require('../identity/tokens');
const { refuse } = require('./errors');

const SCOPES = [
  CLOUD,
  ...['full_control', 'read_write'].map(
    (right) => `https://www.googleapis.com/auth/devstorage.${right}`,
  ),
];
const READ = 'https://www.googleapis.com/auth/devstorage.read_only';
const WHERE = { locationType: 'header', location: 'Authorization' };
const OBJECT = 'the Google Cloud Storage object';

// Sets ctx.who. Sessions of resumable uploads carry their own authority in their address.
function authenticate(ctx) {
  if (ctx.query.has('upload_id') && ctx.method !== 'POST' && ctx.params.object === undefined)
    return;
  const token = ctx.sim.google.check(
    ctx.req.headers,
    'storage.googleapis.com',
    ctx.method === 'GET' ? [...SCOPES, READ] : SCOPES,
  );
  if (token.problem === 'missing')
    refuse(
      401,
      `Anonymous caller does not have storage.objects.get access to ${OBJECT}. Permission ` +
        "'storage.objects.get' denied on resource (or it may not exist).",
      'required',
      WHERE,
    );
  if (token.problem === 'scope') refuse(403, 'Provided scope(s) are not authorized', 'forbidden');
  if (token.problem) refuse(401, 'Invalid Credentials', 'authError', WHERE);
  ctx.who = token.who;
}

const allowed = (who, bucket, permission) => may(who, permission, bucket.project, bucket.deny);

function denied(who, permission) {
  const noun =
    permission.startsWith('storage.buckets') || permission.endsWith('.list')
      ? 'the Google Cloud Storage bucket'
      : OBJECT;
  refuse(
    403,
    `${who.email} does not have ${permission} access to ${noun}. Permission '${permission}' ` +
      'denied on resource (or it may not exist).',
    'forbidden',
  );
}

// The bucket of this request, there and open to the asker.
function needBucket(ctx, permission) {
  const bucket = ctx.state.bucket(ctx.params.bucket);
  if (!bucket) refuse(404, 'The specified bucket does not exist.');
  if (!allowed(ctx.who, bucket, permission)) denied(ctx.who, permission);
  return bucket;
}

module.exports = { authenticate, allowed, denied, needBucket };
