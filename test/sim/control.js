'use strict';
// The tests' own door: /_sim/*. No key. README.md has the forms.

const { credentials } = require('./google/identity/credentials');
const { readText, Refusal } = require('./server');

const ROUTES = {
  'GET /_sim/health': () => ({ ok: true, pid: process.pid }),
  'GET /_sim/ledger': (sim, body, query) => ledger(sim, query),
  'GET /_sim/entries': (sim, body, query) => sim.ledger.ofBatch(query.get('batch_id')),
  'GET /_sim/requests': (sim) => sim.log.requests,
  'GET /_sim/faults': (sim) => sim.faults.list(),
  'POST /_sim/faults': (sim, body) => ({ id: sim.faults.add(body).id }),
  'DELETE /_sim/faults': (sim) => (sim.faults.clear(), { ok: true }),
  'GET /_sim/config': (sim) => sim.config.shown(),
  'POST /_sim/config': (sim, body) => sim.config.change(body),
  'POST /_sim/foreign': (sim, body) => foreign(sim, body),
  'GET /_sim/google_credentials': (sim, body, query, base) =>
    credentials(sim, base, Object.fromEntries(query)),
  'GET /_sim/lanes': (sim) => sim.lanes.list(),
  'POST /_sim/lanes': (sim, body) => sim.lanes.open(sim, body),
  'POST /_sim/shut': (sim, body) => sim.lanes.shut(body),
  'POST /_sim/admit': (sim, body) => sim.lanes.admit(body),
  'POST /_sim/reset': (sim) => (sim.reset(), { ok: true }),
};

// query summary=1 leaves out the two maps, which are large after large batches.
function ledger(sim, query) {
  const summary = sim.ledger.summary();
  if (query.get('summary')) {
    delete summary.by_custom_id;
    delete summary.by_content;
  }
  return {
    batches: sim.providers.flatMap((p) => p.batches()),
    ...summary,
    files_left: sim.providers.flatMap((p) => p.files()),
    requests: sim.log.routes,
  };
}

// Batches of somebody else beside those of the tests: {provider, ...what that provider asks for} ->
// {ids}.
function foreign(sim, { provider: name, ...wish }) {
  const provider = sim.providers.find((p) => p.name === name);
  if (!provider || !provider.foreign) throw new Error(`no foreign batches of "${name}"`);
  return { ids: provider.foreign(wish) };
}

const baseOf = ({ req }) => `${req.socket.encrypted ? 'https' : 'http'}://${req.headers.host}`;

async function handle(ctx) {
  const route = ROUTES[`${ctx.method} ${ctx.path}`];
  if (!route) throw new Refusal({ status: 404, json: { error: 'no such control' } });
  const text = await readText(ctx);
  try {
    return { json: await route(ctx.sim, text ? JSON.parse(text) : {}, ctx.query, baseOf(ctx)) };
  } catch (error) {
    throw new Refusal({ status: 400, json: { error: error.message } });
  }
}

module.exports = { handle };
