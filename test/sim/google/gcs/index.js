'use strict';
// Cloud Storage's JSON API as a provider of the simulator: routes, and how its answers are dressed.

const { createService } = require('../service');
const { authenticate, needBucket } = require('./auth');
const { plain, refuse, usualError } = require('./errors');
const objects = require('./objects');
const { Refusal } = require('../../server');
const sessions = require('./sessions');
const { State } = require('./state');
const uploads = require('./uploads');

// A download, by its address or by alt=media, is refused in plain text.
function download(ctx) {
  ctx.media = true;
  try {
    return objects.getObject(ctx);
  } catch (error) {
    if (error instanceof Refusal) error.reply = plain(error.reply);
    throw error;
  }
}

const getObject = (ctx) =>
  ctx.query.get('alt') === 'media' ? download(ctx) : objects.getObject(ctx);

const UPLOADS = {
  media: uploads.media,
  multipart: uploads.multipart,
  resumable: sessions.resumable,
};
const PARAMETERS = ['uploadType', 'name', 'contentEncoding', 'predefinedAcl', 'kmsKeyName'];

function insert(ctx) {
  const kind = ctx.query.get('uploadType');
  objects.onlyQuery(ctx, PARAMETERS);
  if (!Object.hasOwn(UPLOADS, kind))
    refuse(400, `Invalid value for uploadType: ${kind}`, 'badRequest');
  needBucket(ctx, 'storage.objects.create');
  return UPLOADS[kind](ctx);
}

const ROUTES = [
  ['GET', '/storage/v1/b/{bucket}', objects.getBucket],
  ['GET', '/storage/v1/b/{bucket}/o', objects.listObjects],
  ['GET', '/storage/v1/b/{bucket}/o/{object}', getObject],
  ['GET', '/download/storage/v1/b/{bucket}/o/{object}', getObject],
  ['DELETE', '/storage/v1/b/{bucket}/o/{object}', objects.deleteObject],
  ['POST', '/upload/storage/v1/b/{bucket}/o', insert],
  ['PUT', '/upload/storage/v1/b/{bucket}/o', sessions.putSession],
  ['DELETE', '/upload/storage/v1/b/{bucket}/o', sessions.cancelSession],
];

function createGcs(sim) {
  const state = new State(sim);
  sim.gcs = state;
  return createService(sim, {
    name: 'gcs',
    owns: /^\/(upload\/|download\/)?storage\/v1(\/|$)/,
    routes: ROUTES,
    state,
    authenticate,
    errorReply: usualError,
    headers: () => ({ 'X-GUploader-UploadID': state.newId(), Server: 'UploadServer' }),
    files: () => state.files(),
  });
}

module.exports = { createGcs };
