'use strict';
// All of Google's services, in the order in which they are asked whether a request is theirs.

const { createGcs } = require('./gcs');
const { createGemini } = require('./gemini');
const { createIdentity } = require('./identity');
const { createVertex } = require('./vertex');

const createGoogle = (sim) => [
  ...createIdentity(sim),
  createGcs(sim),
  createVertex(sim),
  createGemini(sim),
];

module.exports = { createGoogle };
