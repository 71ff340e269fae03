'use strict';
// The metadata server of a virtual machine: who it is, and tokens for that account. Both sides must
// say Metadata-Flavor: Google.

const { Refusal } = require('../../server');
const { CLOUD } = require('./tokens');
const { principalOf, projectNamed } = require('./access');

const FLAVOR = { 'Metadata-Flavor': 'Google', Server: 'Metadata Server for VM' };
const text = (value, status = 200) => ({
  status,
  text: value,
  headers: { 'Content-Type': 'application/text' },
});
const errorReply = (status) => ({
  status,
  text: `<!DOCTYPE html>\n<title>Error ${status}</title>\n`,
  headers: { 'Content-Type': 'text/html; charset=UTF-8' },
});

// What a request through a proxy could ask is not answered.
function authenticate({ req: { headers } }) {
  if (headers['metadata-flavor'] !== 'Google') throw new Refusal(errorReply(403));
  if (headers['x-forwarded-for'] !== undefined) throw new Refusal(errorReply(403));
}

function account(ctx) {
  const who = principalOf(ctx.sim, ctx.sim.config.google_metadata_account || '');
  if (!who || !['default', who.email].includes(ctx.params.account || 'default'))
    throw new Refusal(errorReply(404));
  return who;
}

const TREE = '/computeMetadata/v1';
const ROUTES = [
  ['GET', `${TREE}/instance`, () => text('attributes/\nservice-accounts/\n')],
  ['GET', `${TREE}/instance/`, () => text('attributes/\nservice-accounts/\n')],
  ['GET', `${TREE}/project/project-id`, (ctx) => text(account(ctx).projects[0])],
  [
    'GET',
    `${TREE}/project/numeric-project-id`,
    (ctx) =>
      text(ctx.sim.config.google_projects[projectNamed(ctx.sim, account(ctx).projects[0])].number),
  ],
  ['GET', `${TREE}/universe/universe-domain`, () => text('googleapis.com')],
  ['GET', `${TREE}/instance/service-accounts/{account}/email`, (ctx) => text(account(ctx).email)],
  [
    'GET',
    `${TREE}/instance/service-accounts/{account}/scopes`,
    (ctx) => account(ctx) && text(`${CLOUD}\n`),
  ],
  ['GET', `${TREE}/instance/service-accounts/{account}/token`, token],
];

function token(ctx) {
  const asked = ctx.query.get('scopes');
  return {
    json: ctx.sim.google.issue(
      account(ctx),
      asked ? asked.split(',') : [CLOUD],
      ctx.sim.config.google_token_seconds,
    ),
  };
}

module.exports = { ROUTES, FLAVOR, authenticate, errorReply };
