'use strict';
// Further doors of the simulator, each a port of its own: a lane. Faults may be for one lane only,
// its requests are listed apart, and it
// can be shut for a while: as if nobody listened there, or with a certificate that nobody trusts.

const fs = require('fs');
const { createServer } = require('./server');

const read = ({ cert, key }) => ({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) });

// Below the ports that the system gives away by itself: nobody takes that of a lane that is shut.
const anyPort = () => 15000 + Math.floor(Math.random() * 15000);

const listen = (server, port) =>
  new Promise((done, failed) => {
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
    for (let tries = 0; !this.server.listening; tries++) {
      this.port = await listen(this.server, anyPort()).catch((error) => {
        if (tries > 500) throw error;
      });
    }
  }

  // To new connections; how: "refused" or "certificate".
  close(how) {
    this.is = how;
    if (how === 'certificate') this.server.setSecureContext(this.tls.wrong);
    else this.server.close();
  }

  // The connections that there are end, with what is still on its way.
  part() {
    this.sockets.forEach((socket) => socket.end());
  }

  async admit() {
    const was = this.is;
    this.is = undefined;
    if (was === 'refused') await listen(this.server, this.port);
    if (was !== 'certificate') return;
    this.server.setSecureContext(this.tls.right);
    this.part();
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
    const lane = this.byPort.get(port);
    lane.close(how);
    lane.part();
    return { ok: true };
  }

  async admit({ port }) {
    await this.byPort.get(port).admit();
    return { ok: true };
  }

  list() {
    const shown = ({ at, method, path, status, fault }) => ({ at, method, path, status, fault });
    return Object.fromEntries(
      [...this.byPort].map(([port, { requests }]) => [port, requests.map(shown)]),
    );
  }
}

module.exports = { Lanes };
