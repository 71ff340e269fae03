'use strict';
// All of Google's services, in the order in which they are asked whether a request is theirs.

const { createGcs } = require('./gcs');
const { createIdentity } = require('./identity');
const { createVertex } = require('./vertex');

const createGoogle = (sim) => [...createIdentity(sim), createGcs(sim), createVertex(sim)];

module.exports = { createGoogle };
