'use strict';
// The instance metadata service, version 2 only: a token for the questions, the role's name, its
// credentials.

const crypto = require('crypto');
const { Refusal } = require('../server');
const { iso } = require('./sessions');

const TOKEN = 'x-aws-ec2-metadata-token';
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';
const ROLES = '/latest/meta-data/iam/security-credentials/';
const WORDS = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Not Allowed',
};

const errorReply = (status) => ({
  status,
  headers: { 'Content-Type': 'text/html', Server: 'EC2ws' },
  text:
    `<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML ` +
    `1.0 Transitional//EN"\n\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n` +
    `<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n <head>\n  ` +
    `<title>${status} - ${WORDS[status] || 'Error'}</title>\n </head>\n</html>\n`,
});
const refuse = (status) => {
  throw new Refusal(errorReply(status));
};
const text = (value, headers) => ({
  text: value,
  headers: { 'Content-Type': 'text/plain', Server: 'EC2ws', ...headers },
});

function giveToken({ req, sim }) {
  const seconds = Number(req.headers[TTL]);
  if (req.headers['x-forwarded-for'] !== undefined) refuse(403);
  if (!(seconds >= 1 && seconds <= 21600)) refuse(400);
  const token = `SimImds+${crypto.randomBytes(40).toString('base64')}`;
  sim.aws.imds.set(token, Date.now() + seconds * 1000);
  sim.log.count('imds token');
  return text(token, { [TTL]: String(seconds) });
}

function credentials(ctx, role) {
  const arn = ctx.sim.config.aws_instance_role;
  if (arn === null || role !== arn.split('/').pop()) refuse(404);
  const known = ctx.sim.config.aws_roles[arn];
  ctx.sim.log.count('imds credentials');
  if (!known || known.trust === false)
    return text(
      JSON.stringify({
        Code: 'AssumeRoleUnauthorizedAccess',
        Message: 'EC2 cannot assume the role.',
        LastUpdated: iso(Date.now()),
      }),
    );
  return text(
    JSON.stringify({
      Code: 'Success',
      LastUpdated: iso(Date.now()),
      Type: 'AWS-HMAC',
      ...ctx.sim.aws.hand(arn),
    }),
  );
}

function handle(ctx) {
  const { path, method, req, sim } = ctx;
  if (!sim.config.aws_instance_enabled) refuse(403);
  if (path === '/latest/api/token') return method === 'PUT' ? giveToken(ctx) : refuse(405);
  if (method !== 'GET') refuse(405);
  if (!(sim.aws.imds.get(req.headers[TOKEN]) > Date.now())) refuse(401);
  if (path.startsWith(ROLES) && path !== ROLES) return credentials(ctx, path.slice(ROLES.length));
  if (path !== ROLES && path !== ROLES.slice(0, -1)) refuse(404);
  return sim.config.aws_instance_role === null
    ? refuse(404)
    : text(sim.config.aws_instance_role.split('/').pop());
}

const createInstance = () => ({
  name: 'aws-instance',
  owns: (path) => /^\/latest\//.test(path),
  handle,
  errorReply,
  batches: () => [],
  files: () => [],
  reset: () => {},
});

module.exports = { createInstance };
