'use strict';
// The filters of lists: comparisons with AND, OR (which binds tighter), NOT and parentheses, as
// AIP-160 has them.

class BadFilter extends Error {}

const TOKEN = /\s*(?:"((?:[^"\\]|\\.)*)"|(<=|>=|!=|[()=<>:])|([^\s()"=<>!:]+))/y;
const ORDERED = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};
const EQUAL = ['=', '!='];

// Field -> the operators it takes, and the job's value.
const FIELDS = {
  display_name: { operators: [...EQUAL, ':'], value: (job) => job.asked.displayName },
  model_display_name: { operators: EQUAL, value: () => '' },
  state: { operators: EQUAL, value: (job) => job.state },
  create_time: { operators: Object.keys(ORDERED), value: (job) => job.created, literal: timeOf },
};

function timeOf(text) {
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : NaN;
  if (Number.isNaN(at)) throw new BadFilter(`"${text}" is no RFC 3339 time`);
  return at;
}

function tokensOf(text) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim(); at = TOKEN.lastIndex) {
    const found = TOKEN.exec(text);
    if (!found) throw new BadFilter(`unexpected "${text.slice(at).trim()}"`);
    tokens.push(
      found[1] !== undefined
        ? { text: found[1].replace(/\\(.)/g, '$1'), quoted: true }
        : { text: found[2] || found[3] },
    );
  }
  return tokens;
}

// Text -> job => boolean; throws BadFilter.
function parseFilter(text) {
  const tokens = tokensOf(text);
  const is = (word) => tokens.length && !tokens[0].quoted && tokens[0].text === word;
  const take = () => tokens.shift() || { text: '' };
  const all = () => {
    const parts = [any()];
    while (tokens.length && !is(')')) {
      if (is('AND')) take();
      parts.push(any());
    }
    return (job) => parts.every((part) => part(job));
  };
  const any = () => {
    const parts = [one()];
    for (; is('OR'); parts.push(one())) take();
    return (job) => parts.some((part) => part(job));
  };
  const one = () => {
    if (is('NOT')) {
      take();
      const inner = one();
      return (job) => !inner(job);
    }
    if (!is('(')) return comparison(take(), take(), take());
    take();
    const inner = all();
    if (take().text !== ')') throw new BadFilter('a parenthesis is open');
    return inner;
  };
  const found = tokens.length ? all() : () => true;
  if (tokens.length) throw new BadFilter(`unexpected "${tokens[0].text}"`);
  return found;
}

function comparison(field, operator, value) {
  if (field.quoted || operator.quoted || (!value.quoted && /^$|^[()=<>:!]/.test(value.text)))
    throw new BadFilter(`"${field.text}${operator.text}${value.text}" is no comparison`);
  const label = /^labels\.(.+)$/.exec(field.text);
  if (label) return labelled(label[1], operator.text, value.text);
  const known = Object.hasOwn(FIELDS, field.text) ? FIELDS[field.text] : null;
  if (!known || !known.operators.includes(operator.text))
    throw new BadFilter(`"${field.text}${operator.text}" is not supported`);
  const wanted = known.literal ? known.literal(value.text) : value.text;
  if (operator.text !== ':') return (job) => ORDERED[operator.text](known.value(job), wanted);
  const pattern = new RegExp(
    `^${wanted
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  );
  return (job) => pattern.test(known.value(job));
}

function labelled(key, operator, value) {
  if (operator === ':' && value === '*') return (job) => Object.hasOwn(job.labels, key);
  if (operator === '=') return (job) => job.labels[key] === value;
  if (operator === '!=') return (job) => job.labels[key] !== value;
  throw new BadFilter(`"labels.${key}${operator}" is not supported`);
}

module.exports = { parseFilter, BadFilter };
