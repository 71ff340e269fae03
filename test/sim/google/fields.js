'use strict';
// The partial answers of the query parameter "fields": "items(name,size),nextPageToken",
// "items/name", "*".

class BadFields extends Error {}

// Text -> tree: Map of name to tree, or null for all of it. known: the names there are, or null for
// any.
function parseFields(text, known) {
  let at = 0;
  const list = () => {
    const tree = new Map();
    for (;;) {
      merge(tree, path());
      if (text[at] !== ',') return tree;
      at++;
    }
  };
  const path = () => {
    const name = (/^[\w*-]+/.exec(text.slice(at)) || [])[0];
    if (!name || (known && name !== '*' && !known.has(name)))
      throw new BadFields(`Invalid field selection ${name || text.slice(at)}`);
    at += name.length;
    if (text[at] === '/') return (at++, [name, new Map([path()])]);
    if (text[at] !== '(') return [name, null];
    at++;
    const inner = list();
    if (text[at++] !== ')') throw new BadFields(`Invalid field selection ${text}`);
    return [name, inner];
  };
  const tree = list();
  if (at !== text.length) throw new BadFields(`Invalid field selection ${text.slice(at)}`);
  return tree;
}

function merge(tree, [name, inner]) {
  const before = tree.get(name);
  if (before && inner) for (const pair of inner) merge(before, pair);
  else tree.set(name, tree.has(name) ? null : inner);
}

// What the tree leaves of a value.
function pick(value, tree) {
  if (tree === null) return value;
  if (Array.isArray(value)) return value.map((one) => pick(one, tree));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => tree.has(name) || tree.has('*'))
      .map(([name, inner]) => [name, pick(inner, tree.has(name) ? tree.get(name) : tree.get('*'))]),
  );
}

module.exports = { parseFields, pick, BadFields };
