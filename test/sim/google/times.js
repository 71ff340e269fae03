'use strict';
// Google's time stamps: RFC 3339 in UTC with microseconds, unique as they are drawn.

let last = 0;

// Microseconds since 1970, each larger than all before.
function tick() {
  last = Math.max(last + 1, Date.now() * 1000 + Math.floor(Math.random() * 1000));
  return last;
}

const stamp = (micros) =>
  new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1) +
  `${String(micros % 1000).padStart(3, '0')}Z`;

module.exports = { tick, stamp };
