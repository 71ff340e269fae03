'use strict';
// JSON Web Tokens that service accounts sign, RS256. The public keys are those of the
// configuration, or, for accounts without, one that this process made and hands out
// (credentials.js).

const crypto = require('crypto');
const { principalOf } = require('./access');

const SKEW = 300; // seconds
const LONGEST = 3600;

// kind: malformed, account, disabled, signature, time, audience
class JwtError extends Error {}

let made = null;
function madeKey() {
  if (made) return made;
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  made = { id: crypto.createHash('sha1').update(publicKey).digest('hex'), privateKey, publicKey };
  return made;
}

// {id: public PEM} of an account.
function keysOf({ config }, email) {
  const { keys } = config.google_service_accounts[email] || {};
  return keys || { [madeKey().id]: madeKey().publicKey };
}

// The claims of a token that its issuer, a service account, signed now for one of the audiences.
function verify(sim, token, audiences) {
  const [header, claims] = parse(token);
  if (typeof claims.iss !== 'string') throw new JwtError('malformed');
  const who = principalOf(sim, claims.iss);
  if (!who) throw new JwtError('account');
  if (who.disabled) throw new JwtError('disabled');
  if (header.alg !== 'RS256' || !signed(token, keysOf(sim, claims.iss), header.kid))
    throw new JwtError('signature');
  checkTime(claims, Math.floor((Date.now() + sim.config.google_clock_ms) / 1000));
  if (!audiences.includes(claims.aud)) throw new JwtError('audience');
  return { claims, who };
}

function parse(token) {
  const parts = token.split('.');
  if (parts.length !== 3 || parts.some((part) => !/^[\w-]+$/.test(part)))
    throw new JwtError('malformed');
  try {
    const [header, claims] = parts
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    if (header && claims) return [header, claims];
  } catch {
    // not JSON: as below
  }
  throw new JwtError('malformed');
}

// Without a key id every key of the account is tried.
function signed(token, keys, id) {
  const at = token.lastIndexOf('.');
  const candidates = id === undefined ? Object.values(keys) : [keys[id]].filter(Boolean);
  const [body, signature] = [
    Buffer.from(token.slice(0, at)),
    Buffer.from(token.slice(at + 1), 'base64url'),
  ];
  return candidates.some((key) => crypto.verify('RSA-SHA256', body, key, signature));
}

function checkTime({ iat, exp }, now) {
  const fine =
    Number.isInteger(iat) &&
    Number.isInteger(exp) &&
    iat <= now + SKEW &&
    exp >= now - SKEW &&
    exp > iat &&
    exp - iat <= LONGEST;
  if (!fine) throw new JwtError('time');
}

// A token that an account signed for a service itself, as a bearer: {who, scopes, until}, or null.
function selfSigned(sim, token, service) {
  try {
    const { claims, who } = verify(sim, token, [`https://${service}/`, undefined]);
    if (claims.sub !== claims.iss || (claims.aud === undefined && !claims.scope)) return null;
    return {
      who,
      scopes: claims.scope
        ? claims.scope.split(' ')
        : ['https://www.googleapis.com/auth/cloud-platform'],
      until: claims.exp * 1000,
    };
  } catch (error) {
    if (error instanceof JwtError) return null;
    throw error;
  }
}

module.exports = { verify, selfSigned, madeKey, JwtError };
