'use strict';
// The credentials endpoints of containers: ECS's, whose path is the key, and EKS's, which wants a
// token.

const { Refusal } = require('../server');

const errorReply = (status, code = 'InvalidRequest', message = 'The request was refused.') => ({
  status,
  json: { code, message, HTTPErrorCode: status },
});
const refuse = (...what) => {
  throw new Refusal(errorReply(...what));
};

function handle(ctx) {
  const { aws_containers: all } = ctx.sim.config;
  const found = Object.hasOwn(all, ctx.path) ? all[ctx.path] : null;
  if (ctx.method !== 'GET') refuse(405, 'MethodNotAllowed', 'Only GET is allowed');
  if (!found) refuse(400, 'InvalidIdInRequest', 'CredentialsV2Request: Credentials not found');
  if (found.token !== undefined && ctx.req.headers.authorization !== found.token)
    refuse(401, 'InvalidRequest', 'Service account token cannot be validated');
  ctx.sim.log.count('container credentials');
  return { json: { RoleArn: found.role, ...ctx.sim.aws.hand(found.role) } };
}

const createContainer = () => ({
  name: 'aws-container',
  owns: (path) => /^\/v[124]\/credentials/.test(path),
  handle,
  errorReply,
  batches: () => [],
  files: () => [],
  reset: () => {},
});

module.exports = { createContainer };
