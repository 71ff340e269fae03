'use strict';
// Faults on demand: rules that match requests and say what goes wrong. Knows no socket: server.js
// and reply.js act on transport actions, providers on the ones about batches.

const { LIES } = require('./lies');

const ACTIONS = new Set([
  'status',
  'body',
  'headers',
  'reset',
  'hang',
  'delay_ms',
  'drip',
  'read',
  'truncate',
  'chunked',
  'wrong_length',
  'redirect',
  'html',
  'lost_after_effect',
  'batch_outcome',
  'errors',
  'finished',
  'error_file_id',
  'list_lag_ms',
  'error_code',
  'foreign',
  'persist',
  'stall',
  'endless',
  'bomb',
  'gzip',
  'lie',
  'shut_after',
]);
const OUTCOMES = ['expired', 'cancelled', 'failed', 'in_progress_forever', 'archived', 'partial'];

class Faults {
  constructor() {
    this.clear();
  }

  clear() {
    this.rules = [];
    this.count = 0;
  }

  // {match:{method,path_regex,lane,key}, times, after, action} -> the rule with its id. Throws an
  // Error on a bad rule.
  add({ match = {}, times = 1, after = 0, action, ...rest }) {
    checkKeys('fault', rest, new Set());
    checkKeys('match', match, new Set(['method', 'path_regex', 'lane', 'key']));
    if (!action || typeof action !== 'object') throw new Error('fault without an action');
    checkKeys('action', action, ACTIONS);
    if (times !== 'always' && !Number.isInteger(times))
      throw new Error('times must be an integer or "always"');
    if (action.batch_outcome && !OUTCOMES.includes(action.batch_outcome))
      throw new Error('unknown batch_outcome');
    if (action.lie && !LIES[action.lie]) throw new Error('unknown lie');
    const rule = { id: ++this.count, match, times, after, action, seen: 0, hits: 0 };
    rule.regex = new RegExp(match.path_regex || '');
    this.rules.push(rule);
    return rule;
  }

  // The action for a request {method, path, lane, key}: all live rules that match, merged, the
  // oldest winning. Uses the rules up.
  take(request) {
    const actions = this.rules
      .filter((rule) => matches(rule, request) && use(rule))
      .map((rule) => rule.action);
    return Object.assign({}, ...actions.reverse());
  }

  list() {
    return this.rules.map(({ regex, ...rule }) => rule);
  }
}

const matches = ({ match, regex }, request) =>
  ['method', 'lane', 'key'].every((name) => !match[name] || match[name] === request[name]) &&
  regex.test(request.path);

function use(rule) {
  rule.seen++;
  const live = rule.seen > rule.after && (rule.times === 'always' || rule.hits < rule.times);
  if (live) rule.hits++;
  return live;
}

function checkKeys(what, object, known) {
  const bad = Object.keys(object).find((key) => !known.has(key));
  if (bad !== undefined) throw new Error(`unknown key "${bad}" in ${what}`);
}

module.exports = { Faults };
