'use strict';
// What OpenAI and its relatives decide differently. azure/dialect.js has another of these.

const { findModel } = require('./models');

const PLAYED = {
  '/v1/responses': '/v1/responses',
  '/v1/chat/completions': '/v1/chat/completions',
  '/v1/embeddings': '/v1/embeddings',
};
const KNOWN = [
  '/v1/completions',
  '/v1/moderations',
  '/v1/images/generations',
  '/v1/images/edits',
  '/v1/videos',
];

const OPENAI = {
  endpoints: [...Object.keys(PLAYED), ...KNOWN],
  endpointOf: (given) => PLAYED[given], // what is played for it
  urlOf: (given) => given, // the endpoint that a line's url stands for
  fits: (url, endpoint) => url === endpoint, // may lines of the one be in a batch of the other?
  fields: { anchor: 'expires_after[anchor]', seconds: 'expires_after[seconds]', ignored: [] },
  life: [3600, 2592000],
  created: 200,
  findModel: (sim, name) => findModel(name),
  maxLines: (config) => config.max_lines,
  checkRoom() {}, // for one more file
  checkInput() {}, // of a batch
  fileStatus: () => 'processed',
  deployed: () => null, // what is wrong with the model of a batch: an error of the whole, or null
  modelMissing: (name) => `The provided model '${name}' is not supported by the Batch API.`,
  tokensFull: (name, limit) =>
    `Enqueued token limit reached for ${name} in organization org-sim. Limit: ` +
    `${limit.toLocaleString('en-US')} enqueued tokens. Please try again once some in_progress ` +
    'batches have been completed.',
  createHeaders: () => ({}),
  reset: (words) => words, // when a limit is full again: in words, or whole seconds
  emptyErrorFile: false, // is there an error file where nothing failed?
  line: (line) => line, // an output line, dressed
};

module.exports = { OPENAI };
