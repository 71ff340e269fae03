'use strict';
// Long work by the clock: waits and runs that give way to other requests and end when their job
// does.

const { sleep } = require('../reply');

const SLICE_MS = 8;

class Pace {
  // alive(): the job goes on; gone(): nobody wants to hear of it any more, which ends everything by
  // an exception.
  constructor(alive, gone) {
    Object.assign(this, { alive, gone, sliceEnd: 0 });
  }

  async wait(ms) {
    const end = Date.now() + ms;
    while (this.alive() && Date.now() < end) await sleep(3);
  }

  // one(i) for 0 .. goal-1, spread over the time; forever: goes on until the job is not alive.
  // Returns how many ran.
  async run(goal, ms, one, forever) {
    const started = Date.now();
    const share = () => Math.min(1, (Date.now() - started) / Math.max(1, ms));
    let done = 0;
    while (this.alive() && (done < goal || share() < 1 || forever)) {
      for (const target = Math.floor(goal * share()); done < target && this.alive(); done++) {
        one(done);
        await this.breathe();
      }
      await sleep(3);
    }
    return done;
  }

  // Lets other requests be served every few milliseconds.
  async breathe() {
    if (Date.now() < this.sliceEnd) return;
    await new Promise((done) => setImmediate(done));
    if (this.gone()) throw new Error('forgotten');
    this.sliceEnd = Date.now() + SLICE_MS;
  }
}

module.exports = { Pace };
