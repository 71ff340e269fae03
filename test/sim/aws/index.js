'use strict';
// Where AWS's credentials come from, as providers of the simulator.

const { Sessions } = require('./sessions');
const { createContainer } = require('./container');
const { createInstance } = require('./instance');
const { createSts } = require('./sts');

function createAws(sim) {
  sim.aws = new Sessions(sim);
  return [createSts(sim), createContainer(sim), createInstance(sim)];
}

module.exports = { createAws };
