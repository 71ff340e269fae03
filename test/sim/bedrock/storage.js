'use strict';
// Where the objects of jobs lie: a bucket of the simulated S3 as a role sees it, or
// (config.bedrock_storage) of an S3 that somebody else runs.
// Both: need(action), list(prefix) -> [[key, size]], open(key) -> fd, put(key, file, encryption).
// What is not allowed, or not there, is Forbidden.

const fs = require('fs');
const http = require('http');
const { encode, signS3 } = require('../aws/sigv4');
const { may } = require('../s3/auth');
const { all, first } = require('../s3/xml');

class Forbidden extends Error {}

class Simulated {
  constructor(sim, role, name, owner) {
    Object.assign(this, { sim, role, name, owner });
  }

  need(action) {
    const { sim, role, owner } = this;
    const bucket = sim.s3.bucket(this.name);
    const known =
      bucket && (owner === undefined || owner === (bucket.owner || sim.config.aws_account));
    if (!known || !may(sim, bucket, role, action)) throw new Forbidden(action);
  }

  list(prefix) {
    return this.sim.s3
      .sorted(this.name)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, { data }]) => [key, data.size]);
  }

  open(key) {
    return fs.openSync(this.sim.s3.objects(this.name).get(key).data.path, 'r');
  }

  put(key, data, sse) {
    this.sim.s3.put(this.name, key, {
      data,
      etag: `"sim-${data.size}"`,
      type: 'application/octet-stream',
      sse,
    });
  }
}

// Path style, whole bodies in memory.
class Elsewhere {
  constructor({ config, store }, name) {
    Object.assign(this, { where: config.bedrock_storage, store, name });
  }

  // Its own answers tell.
  need() {}

  async list(prefix) {
    const found = [];
    for (let token = ''; token !== undefined;) {
      const text = (
        await this.ask(
          'GET',
          '',
          `?${token && `continuation-token=${encode(token)}&`}list-type=2&prefix=${encode(prefix)}`,
        )
      ).toString();
      for (const object of all(text, 'Contents'))
        found.push([first(object, 'Key'), Number(first(object, 'Size'))]);
      token = first(text, 'NextContinuationToken');
    }
    return found;
  }

  async open(key) {
    const file = this.store.create();
    file.write(await this.ask('GET', key));
    const { path } = file.close();
    const fd = fs.openSync(path, 'r');
    this.store.remove({ path });
    return fd;
  }

  async put(key, file) {
    await this.ask('PUT', key, '', fs.readFileSync(file.path));
    this.store.remove(file);
  }

  ask(method, key, query = '', body = '') {
    const { endpoint, region = 'us-east-1', access_key: accessKey, secret } = this.where;
    const url = `/${[this.name, ...(key ? key.split('/') : [])].map(encode).join('/')}${query}`;
    const headers = signS3(
      { method, url, host: new URL(endpoint).host, body },
      { accessKey, secret, region },
    );
    return new Promise((done, fail) => {
      const req = http.request(
        endpoint,
        {
          method,
          path: url,
          headers: { ...headers, 'content-length': Buffer.byteLength(body) },
          agent: false,
        },
        (res) => {
          const chunks = [];
          res.on('data', (chunk) => chunks.push(chunk));
          res.on('end', () =>
            res.statusCode < 300
              ? done(Buffer.concat(chunks))
              : fail(new Forbidden(`${res.statusCode} ${Buffer.concat(chunks)}`)),
          );
        },
      );
      req.on('error', fail);
      req.end(body);
    });
  }
}

const storeFor = (sim, role, bucket, owner) =>
  sim.config.bedrock_storage ? new Elsewhere(sim, bucket) : new Simulated(sim, role, bucket, owner);

module.exports = { storeFor, Forbidden };
