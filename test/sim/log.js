'use strict';
// The last requests and a count for each route. Keys are kept by their last four characters only.

const KEEP = 500;
const SECRET = new Set([
  'authorization',
  'api-key',
  'x-api-key',
  'x-goog-api-key',
  'proxy-authorization',
  'x-amz-security-token',
  'x-aws-ec2-metadata-token',
]);
const BODY_BYTES = 2000;

class Log {
  constructor() {
    this.clear();
  }

  clear() {
    this.requests = [];
    this.routes = {};
  }

  // Returns the entry, whose status, fault and body are filled in later.
  open(req) {
    const entry = {
      at: new Date().toISOString(),
      method: req.method,
      path: req.url,
      headers: redact(req.headers),
      status: null,
      fault: null,
      body: null,
    };
    this.requests.push(entry);
    if (this.requests.length > KEEP) this.requests.shift();
    return entry;
  }

  count(route) {
    this.routes[route] = (this.routes[route] || 0) + 1;
  }
}

const keepBody = (entry, text) => {
  entry.body = text.slice(0, BODY_BYTES);
};

const tail = (secret) => `...${secret.slice(-4)}`;

const redact = (headers) =>
  Object.fromEntries(
    Object.entries(headers).map(([k, v]) => [k, SECRET.has(k) ? tail(String(v)) : v]),
  );

module.exports = { Log, keepBody, tail };
