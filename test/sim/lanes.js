'use strict';
// Further doors of the simulator, each a port of its own: a lane. Faults may be for one lane only, its requests are listed apart, and it
// can be shut for a while: as if nobody listened there, or with a certificate that nobody trusts.

const fs = require('fs');
const { createServer } = require('./server');

const read = ({ cert, key }) => ({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) });
const listen = (server, port) => new Promise((done, failed) => {
  server.once('error', failed);
  server.listen(port, '127.0.0.1', () => {
    server.removeListener('error', failed);
    done(server.address().port);
  });
});

class Lane {
  // tls: {cert, key, wrong: {cert, key}}, paths of files; undefined: plain HTTP
  constructor(sim, tls) {
    this.tls = tls && { right: read(tls), wrong: tls.wrong && read(tls.wrong) };
    this.server = createServer(sim, this.tls && this.tls.right);
    this.sockets = new Set();
    this.requests = [];
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  async open() {
    this.port = await listen(this.server, 0);
  }

  // how: "refused" or "certificate"; connections that there are end, with what is still on its way.
  shut(how) {
    this.is = how;
    if (how === 'certificate') this.server.setSecureContext(this.tls.wrong);
    else this.server.close();
    this.sockets.forEach((socket) => socket.end());
  }

  // Somebody may have the port for a moment: a connection of his own takes any.
  async admit() {
    const was = this.is;
    this.is = undefined;
    if (was === 'certificate') this.server.setSecureContext(this.tls.right);
    for (let tries = 0; was === 'refused' && !this.server.listening; tries++) {
      await listen(this.server, this.port).catch((error) => { if (tries > 500) throw error; });
      if (!this.server.listening) await new Promise((done) => { setTimeout(done, 20); });
    }
    if (was === 'certificate') this.sockets.forEach((socket) => socket.end());
  }
}

class Lanes {
  constructor() {
    this.byPort = new Map();
  }

  of(req) {
    return this.byPort.get(req.socket.localPort);
  }

  // {count, tls} -> their ports
  async open(sim, { count = 1, tls }) {
    const lanes = Array.from({ length: count }, () => new Lane(sim, tls));
    await Promise.all(lanes.map((lane) => lane.open()));
    lanes.forEach((lane) => this.byPort.set(lane.port, lane));
    return { ports: lanes.map((lane) => lane.port) };
  }

  shut({ port, how = 'refused' }) {
    this.byPort.get(port).shut(how);
    return { ok: true };
  }

  async admit({ port }) {
    await this.byPort.get(port).admit();
    return { ok: true };
  }

  list() {
    const shown = ({ at, method, path, status, fault }) => ({ at, method, path, status, fault });
    return Object.fromEntries([...this.byPort].map(([port, { requests }]) => [port, requests.map(shown)]));
  }
}

module.exports = { Lanes };
