#!/usr/bin/env node
'use strict';
// Starts the simulator on 127.0.0.1, tells its port, and ends with its parent.

const fs = require('fs');
const { parseArgs } = require('util');
const { Config } = require('./config');
const { Faults } = require('./faults');
const { Lanes } = require('./lanes');
const { Ledger } = require('./ledger');
const { Log } = require('./log');
const { Store } = require('./store');
const { createServer } = require('./server');
const control = require('./control');
const { createAnthropic } = require('./anthropic');
const { createAws } = require('./aws');
const { createAzure } = require('./azure');
const { createBedrock } = require('./bedrock');
const { createGoogle } = require('./google');
const { createOpenAI } = require('./openai');
const { createS3 } = require('./s3');

const { values: args } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'port-file': { type: 'string' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    'api-key': { type: 'string', multiple: true, default: ['sk-sim'] },
    'batch-seconds': { type: 'string' },
    'parent-pid': { type: 'string' },
  },
});

function build() {
  const sim = {
    config: new Config({
      keys: args['api-key'],
      batchSeconds: args['batch-seconds'] && Number(args['batch-seconds']),
    }),
    store: new Store(),
    ledger: new Ledger(),
    faults: new Faults(),
    lanes: new Lanes(),
    log: new Log(),
    control,
  };
  sim.providers = [
    ...createAws(sim),
    createBedrock(sim),
    ...createGoogle(sim),
    createS3(sim),
    createAnthropic(sim),
    createAzure(sim),
    createOpenAI(sim),
  ];
  sim.reset = () => {
    sim.providers.forEach((p) => p.reset());
    [sim.store, sim.ledger, sim.faults, sim.log].forEach((part) => part.clear());
    sim.config.reset();
  };
  return sim;
}

// The port file appears whole or not at all.
function announce(port) {
  if (!args['port-file']) return process.stdout.write(`${port}\n`);
  fs.writeFileSync(`${args['port-file']}.tmp`, `${port}\n`);
  return fs.renameSync(`${args['port-file']}.tmp`, args['port-file']);
}

// The parent, or the process named by --parent-pid (for a start through a shell that leaves at
// once).
function watchParent() {
  const named = args['parent-pid'] && Number(args['parent-pid']);
  const first = process.ppid;
  setInterval(() => {
    if (named ? !alive(named) : process.ppid !== first) process.exit(0);
  }, 250);
}

function alive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

const tls = args['tls-cert'] && {
  cert: fs.readFileSync(args['tls-cert']),
  key: fs.readFileSync(args['tls-key']),
};
const server = createServer(build(), tls);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(0));
watchParent();
server.listen(Number(args.port), '127.0.0.1', () => announce(server.address().port));
