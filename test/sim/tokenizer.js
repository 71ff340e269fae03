'use strict';
// How tokens of a text are counted: a quarter of its bytes; or, if a test asks for it, as a real
// tokenizer counts them: that of npm js-tiktoken, which test/client has.

const { createRequire } = require('module');
const path = require('path');

const quarter = (text) => Math.ceil(Buffer.byteLength(text) / 4);
const loaded = {};
let count = quarter;

function load(name) {
  const client = createRequire(path.join(__dirname, '../client/package.json'));
  const encoding = client('js-tiktoken').getEncoding(`${name}_base`);
  return (text) => encoding.encode(text, [], []).length;
}

// name: o200k, cl100k; null: none
function choose(name) {
  if (name) loaded[name] = loaded[name] || load(name);
  count = name ? loaded[name] : quarter;
}

module.exports = { choose, tokens: (text) => count(text) };
