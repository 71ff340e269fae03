'use strict';
// A request that its model refuses: the words are the message.

class Bad extends Error {}
const bad = (message) => {
  throw new Bad(message);
};

module.exports = { Bad, bad };
