'use strict';
// Credentials that last for a while: issued by STS and by the endpoints of containers and
// instances, known to all services.

const crypto = require('crypto');

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const accessKey = () =>
  `ASIA${[...crypto.randomBytes(16)].map((byte) => BASE32[byte % 32]).join('')}`;
const iso = (ms) => new Date(ms).toISOString().replace(/\.\d+/, '');

class Sessions {
  constructor(sim) {
    this.sim = sim;
    this.clear();
  }

  clear() {
    Object.assign(this, { issued: new Map(), handed: new Map(), imds: new Map() });
  }

  now() {
    return Date.now() + this.sim.config.aws_clock_ms;
  }

  // Of a role, as {AccessKeyId, SecretAccessKey, Token, Expiration}; their beginnings are known, so
  // that tests find them where they should not be.
  issue(role, seconds = this.of(role, 'session_seconds')) {
    const now = this.now();
    const session = {
      AccessKeyId: accessKey(),
      SecretAccessKey: `SimSecret/${crypto.randomBytes(21).toString('base64')}`,
      Token: `SimSession+${crypto.randomBytes(120).toString('base64')}`,
      Expiration: iso(now + seconds * 1000),
    };
    this.issued.set(session.AccessKeyId, { ...session, role, since: now });
    return session;
  }

  // A role's own setting, or that of all.
  of(role, name) {
    const { config } = this.sim;
    const own = (config.aws_roles[role] || {})[name];
    return own === undefined ? config[`aws_${name}`] : own;
  }

  // What an endpoint has for this role: the same until aws_session_share of its life is over.
  hand(role) {
    const share = this.of(role, 'session_share');
    const held = this.handed.get(role);
    const known = held && this.issued.get(held.AccessKeyId);
    if (
      known &&
      this.live(known) &&
      this.now() < known.since + (Date.parse(known.Expiration) - known.since) * share
    )
      return held;
    this.handed.set(role, this.issue(role));
    return this.handed.get(role);
  }

  // Those issued before aws_sessions_since have been revoked.
  live({ since }) {
    return since >= Date.parse(this.sim.config.aws_sessions_since);
  }

  // Key -> {secret, token, expires, account, deny}, of the configuration and of sessions.
  credentials() {
    const { aws_roles: roles, aws_credentials: fixed } = this.sim.config;
    const found = [...this.issued.values()].filter((session) => this.live(session));
    return {
      ...Object.fromEntries(
        found.map((s) => [
          s.AccessKeyId,
          {
            secret: s.SecretAccessKey,
            token: s.Token,
            expires: s.Expiration,
            account: accountOf(s.role),
            deny: (roles[s.role] || {}).deny,
          },
        ]),
      ),
      ...fixed,
    };
  }
}

const accountOf = (arn) => arn.split(':')[4];

module.exports = { Sessions, accountOf, iso };
