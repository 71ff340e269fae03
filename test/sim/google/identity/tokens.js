'use strict';
// Access tokens: issued by the token services, asked for by all others. Expired ones are remembered
// as such.

const crypto = require('crypto');
const { principalOf } = require('./access');
const { selfSigned } = require('./jwt');

const CLOUD = 'https://www.googleapis.com/auth/cloud-platform';

class Tokens {
  constructor(sim) {
    this.sim = sim;
    this.clear();
  }

  clear() {
    this.issued = new Map();
  }

  // The answer of a token service. who: of access.js
  issue(who, scopes, seconds) {
    const value = `ya29.c.${crypto.randomBytes(96).toString('base64url')}`;
    this.issued.set(value, { who, scopes, until: Date.now() + seconds * 1000 });
    return { access_token: value, expires_in: Math.floor(seconds), token_type: 'Bearer' };
  }

  // {who, scopes} of a request, or {problem: missing, invalid, expired or scope}. service: its
  // host's name; scopes: any of them will do.
  check({ authorization }, service, scopes = [CLOUD]) {
    const value = (/^Bearer +(\S+)$/i.exec(authorization || '') || [])[1];
    if (authorization === undefined) return { problem: 'missing' };
    if (value === undefined) return { problem: 'invalid' };
    const token =
      this.issued.get(value) || this.preset(value) || selfSigned(this.sim, value, service);
    if (!token) return { problem: 'invalid' };
    if (token.until !== undefined && Date.now() >= token.until) return { problem: 'expired' };
    return scopes.some((scope) => token.scopes.includes(scope)) ? token : { problem: 'scope' };
  }

  // One of the configuration.
  preset(value) {
    const { google_tokens: all } = this.sim.config;
    const found = Object.hasOwn(all, value) ? all[value] : null;
    const who = found && principalOf(this.sim, found.account);
    return (
      who && {
        who,
        scopes: found.scopes || [CLOUD],
        until: found.expires && Date.parse(found.expires),
      }
    );
  }
}

module.exports = { Tokens, CLOUD };
