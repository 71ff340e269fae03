'use strict';
// STS: AssumeRoleWithWebIdentity, which nobody signs. Tokens and the roles that trust them are
// those of the configuration.

const crypto = require('crypto');
const { Refusal, readText } = require('../server');
const { document } = require('../s3/xml');
const { accountOf } = require('./sessions');

const NAMESPACE = ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';
const KNOWN = new Set([
  'Action',
  'Version',
  'RoleArn',
  'RoleSessionName',
  'WebIdentityToken',
  'DurationSeconds',
]);
const REQUIRED = {
  RoleArn: /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
  RoleSessionName: /^[\w+=,.@-]{2,64}$/,
  WebIdentityToken: /^[\s\S]{4,20000}$/,
};

const xml = (status, root, value) => {
  const id = crypto.randomUUID();
  return {
    status,
    text: document(root, value(id), NAMESPACE),
    headers: { 'Content-Type': 'text/xml', 'x-amzn-RequestId': id },
  };
};
const errorReply = (status, code, message = 'The request was refused.') =>
  xml(status, 'ErrorResponse', (id) => ({
    Error: {
      Type: status < 500 ? 'Sender' : 'Receiver',
      Code: code || (status < 500 ? 'AccessDenied' : 'InternalFailure'),
      Message: message,
    },
    RequestId: id,
  }));
const refuse = (...what) => {
  throw new Refusal(errorReply(...what));
};

function checkForm(form) {
  const unknown = [...form.keys()].find((name) => !KNOWN.has(name));
  if (form.get('Action') !== 'AssumeRoleWithWebIdentity')
    refuse(
      400,
      'InvalidAction',
      `Could not find operation ${form.get('Action')} for version ${form.get('Version')}`,
    );
  if (form.get('Version') !== '2011-06-15')
    refuse(400, 'NoSuchVersion', 'The requested version is not supported.');
  if (unknown !== undefined)
    refuse(
      400,
      'MalformedQueryString',
      `The query string contains an unknown parameter: ${unknown}`,
    );
  for (const [name, pattern] of Object.entries(REQUIRED)) {
    const member = name[0].toLowerCase() + name.slice(1);
    if (!form.has(name))
      refuse(
        400,
        'ValidationError',
        `1 validation error detected: Value null at '${member}' failed to satisfy constraint: ` +
          'Member must not be null',
      );
    if (!pattern.test(form.get(name)))
      refuse(
        400,
        'ValidationError',
        `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member ` +
          'must satisfy regular expression pattern',
      );
  }
}

// What the token says, and whether the role believes it.
function checkToken(ctx, token, role) {
  const { config, aws } = ctx.sim;
  const found = Object.hasOwn(config.aws_web_identity_tokens, token)
    ? config.aws_web_identity_tokens[token]
    : null;
  if (!found)
    refuse(
      400,
      'InvalidIdentityToken',
      "Couldn't retrieve verification key from your identity provider, please reference " +
        'AssumeRoleWithWebIdentity documentation for requirements',
    );
  if (found.expires && aws.now() >= Date.parse(found.expires))
    refuse(
      400,
      'ExpiredTokenException',
      `Token expired: current date/time ${Math.floor(aws.now() / 1000)} must be before the ` +
        `expiration date/time${Math.floor(Date.parse(found.expires) / 1000)}`,
    );
  if (!Object.hasOwn(config.aws_roles, role) || !(found.roles || []).includes(role))
    refuse(403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
  return found;
}

function seconds(ctx, form) {
  const wanted = form.get('DurationSeconds');
  if (wanted !== null && !(Number(wanted) >= 900 && Number(wanted) <= 43200))
    refuse(
      400,
      'ValidationError',
      `1 validation error detected: Value '${wanted}' at 'durationSeconds' failed to satisfy ` +
        'constraint: Member must have value greater than or equal to 900',
    );
  return wanted === null ? undefined : Number(wanted);
}

async function handle(ctx) {
  const form = new URLSearchParams(await readText(ctx));
  if (ctx.log) ctx.log.body = null; // the token stood there
  if (ctx.method !== 'POST')
    refuse(400, 'MissingAction', 'The request is missing an action parameter.');
  checkForm(form);
  const role = form.get('RoleArn');
  const token = checkToken(ctx, form.get('WebIdentityToken'), role);
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = ctx.sim.aws.issue(
    role,
    seconds(ctx, form),
  );
  ctx.sim.log.count('sts AssumeRoleWithWebIdentity');
  const who = `${role.split('/').pop()}/${form.get('RoleSessionName')}`;
  return xml(200, 'AssumeRoleWithWebIdentityResponse', (id) => ({
    AssumeRoleWithWebIdentityResult: {
      SubjectFromWebIdentityToken: token.subject || 'sim',
      Audience: 'sts.amazonaws.com',
      Provider: 'arn:aws:iam::123456789012:oidc-provider/sim',
      AssumedRoleUser: {
        Arn: `arn:aws:sts::${accountOf(role)}:assumed-role/${who}`,
        AssumedRoleId: `AROASIMULATED:${form.get('RoleSessionName')}`,
      },
      Credentials: { AccessKeyId, SecretAccessKey, SessionToken: Token, Expiration },
    },
    ResponseMetadata: { RequestId: id },
  }));
}

const createSts = (sim) => ({
  name: 'sts',
  owns: (path, headers) =>
    path === '/' &&
    headers.authorization === undefined &&
    /^application\/x-www-form-urlencoded/.test(headers['content-type']),
  handle,
  errorReply,
  batches: () => [],
  files: () => [],
  reset: () => sim.aws.clear(),
});

module.exports = { createSts };
