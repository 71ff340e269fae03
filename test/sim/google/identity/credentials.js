'use strict';
// Credentials as Google hands them out in a file of JSON, for this simulator: the tests' control
// interface asks for them.

const { madeKey } = require('./jwt');

// type: service_account (email), authorized_user, external_account (file: where the subject token
// lies; email: to impersonate)
function credentials(
  { config },
  base,
  { type = 'service_account', email = Object.keys(config.google_service_accounts)[0], file },
) {
  const makers = {
    service_account: serviceAccount,
    authorized_user: user,
    external_account: external,
  };
  if (!Object.hasOwn(makers, type)) throw new Error(`no credentials of type "${type}"`);
  return {
    type,
    ...makers[type](config, base, { email, file }),
    universe_domain: 'googleapis.com',
  };
}

function serviceAccount(config, base, { email }) {
  const known = config.google_service_accounts[email];
  if (!known || known.keys) throw new Error(`no account "${email}" whose key is made here`);
  const key = madeKey();
  return {
    project_id: Object.keys(config.google_projects)[0],
    private_key_id: key.id,
    private_key: key.privateKey,
    client_email: email,
    client_id: '100000000000000000001',
    auth_uri: 'https://accounts.google.com/o/oauth2/auth',
    token_uri: `${base}/token`,
  };
}

function user(config) {
  const [id, client] = Object.entries(config.google_users)[0];
  return {
    client_id: id,
    client_secret: client.secret,
    refresh_token: Object.keys(client.refresh_tokens)[0],
    account: '',
  };
}

function external(config, base, { email, file }) {
  const [audience] = Object.keys(config.google_workload_pools);
  return {
    audience,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${base}/v1/token`,
    credential_source: { file },
    ...(email
      ? {
          service_account_impersonation_url:
            `${base}/v1/projects/-/serviceAccounts/${email}` + ':generateAccessToken',
        }
      : {}),
  };
}

module.exports = { credentials };
