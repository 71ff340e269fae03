// Helpers of the tests: starts a simulator, speaks plain HTTP to it, prints TAP. Node only.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
export const sleep = (ms) =>
  new Promise((done) => {
    setTimeout(done, ms);
  });

// Polls until probe() is truthy; throws after the deadline.
export async function until(probe, what, ms = 60000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) {
    const found = await probe();
    if (found) return found;
  }
  throw new Error(`timed out waiting for ${what}`);
}

// {port, child, stop()}; the child ends with this process anyway.
export async function startSim(args = [], env = {}) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'batchinf-simtest-'));
  const portFile = path.join(folder, 'port');
  const child = spawn(process.execPath, [MAIN, '--port', '0', '--port-file', portFile, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise((done) => {
    child.once('exit', done);
  });
  await until(() => fs.existsSync(portFile) || child.exitCode !== null, 'the simulator to start');
  const port = Number(fs.readFileSync(portFile, 'utf8'));
  fs.rmSync(folder, { recursive: true });
  return {
    port,
    child,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

// One request on a connection of its own. Never throws: {status, headers, body, json, error}.
// json() is null if the body is none. It ends after timeout ms without a byte, and after longest ms
// in all.
export function call(
  sim,
  method,
  target,
  { headers = {}, body, tls, timeout = 60000, longest } = {},
) {
  return new Promise((done) => {
    const chunks = [];
    let reply = { status: null, headers: {} };
    const finish = (error) => {
      const bytes = Buffer.concat(chunks);
      done({
        status: reply.statusCode || null,
        headers: reply.headers,
        body: bytes,
        json: parse(bytes),
        error,
      });
    };
    const req = (tls ? https : http).request(
      { host: '127.0.0.1', port: sim.port, method, path: target, headers, agent: false, ...tls },
      (res) => {
        reply = res;
        res.on('data', (c) => chunks.push(c));
        res.on('end', () => finish(res.complete ? null : new Error('incomplete')));
        res.on('error', finish);
      },
    );
    req.setTimeout(timeout, () => req.destroy(new Error('client timeout')));
    if (longest) setTimeout(() => req.destroy(new Error('long enough')), longest);
    req.on('error', finish);
    req.end(body);
  });
}

function parse(bytes) {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return null;
  }
}

// TAP: ok(condition, name, shownOnFailure), is(got, wanted, name), done() -> exit code.
export class Tap {
  count = 0;

  failed = 0;

  ok(condition, name, shown) {
    this.count += 1;
    console.log(`${condition ? 'ok' : 'not ok'} ${this.count} - ${name}`);
    if (condition) return;
    this.failed += 1;
    if (shown !== undefined)
      console.log(
        `# got: ${typeof shown === 'string' ? shown : JSON.stringify(shown)}`.slice(0, 2000),
      );
  }

  is(got, wanted, name) {
    this.ok(JSON.stringify(got) === JSON.stringify(wanted), name, { got, wanted });
  }

  // Runs a group; an exception is a failed test, not the end.
  async group(name, body) {
    try {
      await body();
    } catch (error) {
      this.ok(false, `${name}: no exception`, error.stack);
    }
  }

  done() {
    console.log(`1..${this.count}`);
    return this.failed ? 1 : 0;
  }
}
