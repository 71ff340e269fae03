'use strict';
// Lines of results files as they were met in the wild: a line whose answer says WILD-NAME is spoilt
// as NAME says, when it is written. (In a prompt: [[sim:say=%57ILD-NAME]], so that the request
// itself does not say it.) Pure.

const LONG = 68e6;
const BAD = 0xff; // no byte of UTF-8

// A member before all others of the line's object.
const first = (text, member) => text.replace('{', `{${member},`);

// The text with each U+0FFF made a byte that is no UTF-8.
function broken(text) {
  const parts = text.split('\u0fff').map((part) => Buffer.from(part));
  return Buffer.concat(parts.flatMap((part, i) => (i ? [Buffer.from([BAD]), part] : [part])));
}

const WAYS = {
  nan: (text) => first(text, '"logprobs":{"token":-Infinity,"top":[NaN,Infinity, -Infinity]}'),
  bom: (text) => `\ufeff${text}`,
  blank: (text) => `\n \t\r\n${text}\n   `,
  control: (text) => text.replace('WILD-control', 'WILD-control\t\u0001\u001f.'),
  utf8: (text) => broken(text.replace('WILD-utf8', 'WILD-utf8 \u0fff\u0fff.')),
  note: (text) => broken(first(text, '"note":"\u0fff"')),
  deep: (text) => first(text, `"deep":${'['.repeat(500)}${']'.repeat(500)}`),
  cut: (text) => text.slice(0, text.indexOf('WILD-cut') + 8),
  lost: (text) => text.slice(0, 5),
  quote: (text) => text.replace('WILD-quote', 'WILD"quote'),
  long: (text) => text.replace('WILD-long', `WILD-long${'x'.repeat(LONG)}`),
};

// A line's text as it is written: a string, or bytes.
function spoil(text) {
  const found = /WILD-([a-z0-9]+)/.exec(text);
  return found && WAYS[found[1]] ? WAYS[found[1]](text) : text;
}

module.exports = { spoil };
