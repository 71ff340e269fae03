'use strict';
// Row-level behaviours asked for inside the prompt: [[sim:NAME]] or [[sim:NAME=ARG]].
// ARG is percent-encoded. Several may stand in one text. README.md lists them. A provider may have
// some of its own.

const NAMES = new Set([
  'error',
  'status0',
  'expired',
  'cancelled',
  'timeout',
  'refusal',
  'length',
  'content_filter',
  'missing',
  'duplicate',
  'both',
  'badjson',
  'unknown',
  'null_content',
  'nul',
  'big',
  'say',
  'json',
  'fail_times',
  'invalid_line',
  'nochoices',
  'stop',
  'usage',
  'twice',
]);
const PATTERN = /\[\[sim:([^\]=]*)(?:=([^\]]*))?\]\]/g;
const NONE = new Map();

// Text -> Map of name to argument ('' if none); own: a Set of further names. Throws an Error naming
// a directive that does not exist.
function parse(text, own = NONE) {
  if (!text.includes('[[sim:')) return NONE;
  const found = new Map();
  for (const [, name, arg] of text.matchAll(PATTERN)) {
    if (!NAMES.has(name) && !own.has(name))
      throw new Error(`unknown simulator directive "${name}"`);
    found.set(name, decode(arg || ''));
  }
  return found;
}

function decode(arg) {
  try {
    return decodeURIComponent(arg);
  } catch {
    throw new Error('simulator directive with broken percent-encoding');
  }
}

// Puts the members of [[sim:usage=JSON]], if it was asked, over what an answer counts.
function recount(asked, usage) {
  if (usage && asked.has('usage')) Object.assign(usage, JSON.parse(asked.get('usage')));
}

const strip = (text) => text.replace(PATTERN, '').trim();

module.exports = { parse, recount, strip };
