#!/usr/bin/env node
'use strict';
// A liar between a client and the simulator: it lets the simulator answer, and then, by chance,
// says something else.
//
//   liar.js --target PORT --seed TEXT --port-file FILE [--parent-pid PID]
//
// Which lies a kind of request (its method and path, ids aside) meets, and in which order, follows
// from the seed alone: each kind has the lies shuffled, and takes them in turn. A lie that does not
// apply to a reply is kept for the next one.
//
// Control, without a key: POST /_liar/mode {honest, chance, heavy, only, without, first} GET
// /_liar/report
// honest: nothing but the truth from now on, and the connections on which it lies end; chance: of a
// lie, for each reply; heavy: of one that moves many bytes; only, without, first: patterns of
// names; those of first come before the others.

const fs = require('fs');
const http = require('http');
const { parseArgs } = require('util');
const { Random } = require('./random');
const { TEXT } = require('./text');
const { WIRE } = require('./wire');

const { values: args } = parseArgs({
  options: {
    target: { type: 'string' },
    seed: { type: 'string', default: '1' },
    'port-file': { type: 'string' },
    'parent-pid': { type: 'string' },
  },
});

const LIES = [...WIRE, ...TEXT];
const mode = { honest: true, chance: 0.5, heavy: 0.05, only: '', without: '', first: '' };
const decks = new Map(); // kind → what is left of its lies
const liars = new Set(); // sockets on which a lie is under way
const secrets = new Set();
const seen = [];
const counts = {}; // name of a lie → how often
const kinds = {}; // kind → how many lies
const strangers = [];
let replies = 0;

// ---- a stranger: an address that nobody has a reason to ask ----

const stranger = http.createServer((req, res) => {
  strangers.push(`${req.method} ${req.url} ${JSON.stringify(req.headers)}`);
  res.end('{}');
});
stranger.on('connection', () => strangers.push('connection'));

// ---- what the client sends ----

// The secrets of one request: what it quotes is what this very request has brought.
function secretsOf(req, text) {
  const { authorization = '' } = req.headers;
  const found = ['x-api-key', 'api-key', 'x-goog-api-key', 'x-amz-security-token'].map(
    (name) => req.headers[name],
  );
  if (/^Bearer /.test(authorization)) found.push(authorization.slice(7));
  if (/token|login/i.test(req.url)) {
    const form = new URLSearchParams(text);
    found.push(
      ...['client_secret', 'refresh_token', 'assertion', 'subject_token'].map((name) =>
        form.get(name),
      ),
    );
  }
  const usable = found.filter(
    (secret) =>
      secret &&
      secret.length >= 14 &&
      secret.length < 4000 &&
      /\d/.test(secret) &&
      !seen.includes(secret),
  );
  usable.forEach((secret) => secrets.add(secret));
  return usable;
}

// ---- what the simulator says ----

function ask(req) {
  return new Promise((done, failed) => {
    const headers = { ...req.headers };
    delete headers['accept-encoding'];
    delete headers.expect;
    const out = http.request(
      { host: '127.0.0.1', port: Number(args.target), method: req.method, path: req.url, headers },
      (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('end', () =>
          done({
            ...truth(answer, Buffer.concat(parts)),
            secrets: secretsOf(req, Buffer.concat(said).toString()),
          }),
        );
        answer.on('error', failed);
      },
    );
    out.on('error', failed);
    const said = [];
    req.on('data', (part) => {
      if (said.length < 8) said.push(part);
    });
    req.pipe(out);
  });
}

function truth(answer, body) {
  const headers = { ...answer.headers };
  ['transfer-encoding', 'content-length', 'connection', 'keep-alive', 'date'].forEach(
    (name) => delete headers[name],
  );
  return { status: answer.statusCode, headers, body };
}

// ---- which lie ----

const kindOf = (req) =>
  `${req.method} ${req.url
    .replace(/\?.*/, '')
    .split('/')
    .map((part) => (/\d{3,}|^.{24,}$/.test(part) ? '*' : part))
    .join('/')}`;

function deckOf(kind) {
  if (!decks.has(kind)) {
    const random = new Random(`${args.seed} ${kind}`);
    const isFirst = (lie) => Boolean(mode.first) && new RegExp(mode.first).test(lie.name);
    const left = random.shuffled(LIES);
    decks.set(kind, {
      random,
      left: [...left.filter(isFirst), ...left.filter((lie) => !isFirst(lie))],
    });
  }
  const deck = decks.get(kind);
  if (deck.left.length < LIES.length / 2) deck.left.push(...deck.random.shuffled(LIES));
  return deck;
}

const isWanted = (lie) =>
  (!mode.only || new RegExp(mode.only).test(lie.name)) &&
  !(mode.without && new RegExp(mode.without).test(lie.name));

// The next lie for this reply, with the body it makes, if it makes one; undefined: none applies, or
// it is to be the truth.
function choose(kind, talk) {
  const { random, left } = deckOf(kind);
  if (random.next() >= mode.chance) return undefined;
  const heavy = random.next() < mode.heavy;
  for (let i = 0; i < left.length; i++) {
    const lie = left[i];
    if (!isWanted(lie) || Boolean(lie.heavy) !== heavy) continue;
    const body = lie.make && lie.make(talk, random);
    if (lie.make && (body === undefined || body.equals(talk.body))) continue;
    left.splice(i, 1);
    return { lie, random, body };
  }
  return undefined;
}

// ---- the reply ----

class Talk {
  constructor(req, reply) {
    this.socket = req.socket;
    this.reply = reply;
    this.body = reply.body;
    this.stranger = `http://127.0.0.1:${stranger.address().port}`;
    this.secrets = reply.secrets;
    this.seen = seen;
  }

  // False once there is nobody to listen, or no lie is wanted any more.
  write(bytes) {
    const { socket } = this;
    if (socket.destroyed || mode.honest) return Promise.resolve(false);
    return new Promise((done) => {
      const gone = () => done(false);
      socket.once('close', gone);
      socket.write(bytes, () => {
        socket.removeListener('close', gone);
        done(!socket.destroyed && !mode.honest);
      });
    });
  }

  end() {
    this.socket.end();
  }
  reset() {
    this.socket.resetAndDestroy ? this.socket.resetAndDestroy() : this.socket.destroy();
  }
  closed() {
    return this.socket.destroyed
      ? undefined
      : new Promise((done) => this.socket.once('close', done));
  }
}

function honest(res, { status, headers, body }) {
  res.writeHead(status, { ...headers, 'Content-Length': body.length });
  res.end(body);
}

async function answer(req, res) {
  const reply = await ask(req);
  replies++;
  for (const [id] of reply.body
    .subarray(0, 20000)
    .toString()
    .matchAll(/\b(?:batch|file|msgbatch)[_-]\w{8,}|\b\w{12}\b(?=")/g))
    if (!seen.includes(id) && seen.push(id) > 2000) seen.shift();
  const talk = new Talk(req, reply);
  const kind = kindOf(req);
  const chosen = mode.honest ? undefined : choose(kind, talk);
  if (!chosen) return honest(res, reply);
  const { lie, random, body } = chosen;
  counts[lie.name] = (counts[lie.name] || 0) + 1;
  kinds[kind] = (kinds[kind] || 0) + 1;
  if (lie.make)
    return honest(res, {
      ...reply,
      status:
        lie.quotes && random.next() < 0.5
          ? random.of([400, 401, 403, 404, 429, 500])
          : reply.status,
      body,
    });
  liars.add(req.socket);
  req.socket.once('close', () => liars.delete(req.socket));
  await lie.say(talk, random);
  return undefined;
}

// ---- control ----

function control(req, res, text) {
  if (req.url === '/_liar/mode') {
    Object.assign(mode, JSON.parse(text));
    if (mode.honest) liars.forEach((socket) => socket.destroy());
  }
  res.end(
    JSON.stringify({
      ...mode,
      replies,
      counts,
      kinds,
      strangers,
      open: liars.size,
      secrets: [...secrets],
      lies: LIES.map((lie) => lie.name),
    }),
  );
}

function handle(req, res) {
  if (req.url.startsWith('/_liar/')) {
    const parts = [];
    req
      .on('data', (part) => parts.push(part))
      .on('end', () => control(req, res, Buffer.concat(parts).toString()));
    return;
  }
  answer(req, res).catch((error) => {
    if (!req.socket.destroyed)
      process.stderr.write(`liar: ${req.method} ${req.url}: ${error.stack}\n`);
    req.socket.destroy();
  });
}

const server = http.createServer(handle);
server.requestTimeout = 0;
server.on('connection', (socket) => socket.on('error', () => {}));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(0));
const parent = Number(args['parent-pid']) || process.ppid;
setInterval(() => {
  try {
    process.kill(parent, 0);
  } catch (error) {
    if (error.code !== 'EPERM') process.exit(0);
  }
}, 250);
stranger.listen(0, '0.0.0.0', () =>
  server.listen(0, '127.0.0.1', () => {
    fs.writeFileSync(`${args['port-file']}.tmp`, `${server.address().port}\n`);
    fs.renameSync(`${args['port-file']}.tmp`, args['port-file']);
  }),
);
