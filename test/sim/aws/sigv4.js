'use strict';
// Verifies (and makes) AWS Signature Version 4 in the Authorization header, with the path rules of
// S3 and of everybody else.
// Says what is wrong by kind; how a service words it is the service's business. No state.

const crypto = require('crypto');

const ALGORITHM = 'AWS4-HMAC-SHA256';
const HEADER = new RegExp(
  `^${ALGORITHM}\\s+Credential=([^,\\s]+),\\s*` +
    'SignedHeaders=([^,\\s]+),\\s*Signature=([0-9a-f]{64})$',
);

// kind: missing, malformed, key, region, service, token, expired, skew, unsigned, signature;
// detail: what the kind needs.
class AuthError extends Error {
  constructor(kind, detail = {}) {
    super(kind);
    Object.assign(this, { kind, detail });
  }
}

const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex');
const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
const encode = (text) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );

// request: {method, url as on the wire, rawHeaders}; how: {service, regions, payloadHash,
// credentials, now, skewMs}.
// Returns {accessKey, credential, region}.
function verify(request, how) {
  const headers = joined(request.rawHeaders);
  const { accessKey, scope, signed, signature } = parse(headers.get('authorization'));
  const [day, region, service] = scope;
  const credential = Object.hasOwn(how.credentials, accessKey) ? how.credentials[accessKey] : null;
  if (!credential) throw new AuthError('key', { accessKey });
  if (service !== how.service) throw new AuthError('service', { service });
  if (!how.regions.includes(region))
    throw new AuthError('region', { region, expected: how.regions[0] });
  checkToken(headers.get('x-amz-security-token'), credential, how.now);
  const date = checkDate(headers.get('x-amz-date'), day, how);
  checkSigned(headers, signed);
  const canonical = canonicalRequest(request, how, headers, signed);
  const toSign = [ALGORITHM, date, scope.join('/'), sha256(canonical)].join('\n');
  const key = scope.reduce(hmac, `AWS4${credential.secret}`);
  if (hmac(key, toSign).toString('hex') !== signature)
    throw new AuthError('signature', { canonical, toSign, accessKey, signature });
  return { accessKey, credential, region };
}

// The headers of a request to S3 at a host, signed now.
function signS3({ method, url, host, body }, { accessKey, secret, region }) {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = [date.slice(0, 8), region, 's3', 'aws4_request'];
  const payloadHash = sha256(body);
  const headers = { host, 'x-amz-content-sha256': payloadHash, 'x-amz-date': date };
  const signed = Object.keys(headers);
  const canonical = canonicalRequest(
    { method, url },
    { service: 's3', payloadHash },
    new Map(Object.entries(headers)),
    signed,
  );
  const toSign = [ALGORITHM, date, scope.join('/'), sha256(canonical)].join('\n');
  const signature = hmac(scope.reduce(hmac, `AWS4${secret}`), toSign).toString('hex');
  return {
    ...headers,
    authorization:
      `${ALGORITHM} Credential=${accessKey}/${scope.join('/')}, ` +
      `SignedHeaders=${signed.join(';')}, Signature=${signature}`,
  };
}

// Lower-case name -> trimmed values joined by commas.
function joined(raw) {
  const headers = new Map();
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase();
    const value = raw[i + 1].trim().replace(/\s+/g, ' ');
    headers.set(name, headers.has(name) ? `${headers.get(name)},${value}` : value);
  }
  return headers;
}

function parse(header) {
  if (header === undefined) throw new AuthError('missing');
  const found = HEADER.exec(header);
  if (!found)
    throw new AuthError('malformed', {
      reason: 'it has no valid Credential, SignedHeaders or Signature',
    });
  const [accessKey, ...scope] = found[1].split('/');
  const signed = found[2].split(';');
  if (scope.length !== 4 || scope[3] !== 'aws4_request' || !/^\d{8}$/.test(scope[0]))
    throw new AuthError('malformed', { reason: 'the Credential is mal-formed' });
  if (signed.some((name, i) => name !== name.toLowerCase() || (i > 0 && name <= signed[i - 1])))
    throw new AuthError('malformed', { reason: 'SignedHeaders are not sorted lower-case names' });
  return { accessKey, scope, signed, signature: found[3] };
}

function checkToken(given, { token, expires }, now) {
  if (given !== token) throw new AuthError('token', { missing: given === undefined });
  if (expires !== undefined && now >= Date.parse(expires)) throw new AuthError('expired');
}

function checkDate(date, day, { now, skewMs }) {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date || '');
  if (!parts) throw new AuthError('malformed', { reason: 'x-amz-date is missing or no date' });
  if (date.slice(0, 8) !== day)
    throw new AuthError('malformed', {
      reason: 'the date in the Credential is not that of x-amz-date',
    });
  const at = Date.UTC(parts[1], parts[2] - 1, parts[3], parts[4], parts[5], parts[6]);
  if (Math.abs(at - now) > skewMs)
    throw new AuthError('skew', { date, now, skewMs, late: at < now });
  return date;
}

// host and every x-amz-* must be signed; what is signed must have been sent.
function checkSigned(headers, signed) {
  const needed = [...headers.keys()].filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const left = needed.filter((name) => !signed.includes(name));
  if (left.length) throw new AuthError('unsigned', { headers: left });
}

function canonicalRequest({ method, url }, { service, payloadHash }, headers, signed) {
  const [path, query = ''] = split(url);
  const lines = signed.map((name) => `${name}:${headers.get(name) || ''}\n`).join('');
  return [
    method,
    service === 's3' ? once(path) : twice(path),
    canonicalQuery(query),
    lines,
    signed.join(';'),
    payloadHash,
  ].join('\n');
}

function split(url) {
  const at = url.indexOf('?');
  return at < 0 ? [url] : [url.slice(0, at), url.slice(at + 1)];
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AuthError('malformed', { reason: 'the address has broken percent-encoding' });
  }
}

// S3: each byte of the key once, no dot segments removed.
const once = (path) =>
  path
    .split('/')
    .map((part) => encode(decode(part)))
    .join('/');

// All others: dot segments removed, then what was on the wire encoded again.
function twice(path) {
  const kept = [];
  for (const part of path.split('/')) {
    if (part === '..') kept.pop();
    else if (part !== '' && part !== '.') kept.push(part);
  }
  const slash = kept.length && path.endsWith('/') ? '/' : '';
  return `/${kept.map(encode).join('/')}${slash}`;
}

function canonicalQuery(query) {
  const pairs = query
    .split('&')
    .filter(Boolean)
    .map((pair) => {
      const at = pair.indexOf('=');
      const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return [name, value].map((text) => encode(decode(text.replace(/\+/g, ' '))));
    });
  const order = ([a, b], [c, d]) => (a !== c ? (a < c ? -1 : 1) : b < d ? -1 : Number(b > d));
  return pairs
    .sort(order)
    .map((pair) => pair.join('='))
    .join('&');
}

module.exports = { verify, signS3, AuthError, split, decode, encode, sha256 };
