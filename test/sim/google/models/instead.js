'use strict';
// What a request gets instead of an answer: by a directive in its text, or because it is refused.

const { usualError } = require('../errors');

const failed = (http, code) => ({ error: usualError(http, code).json.error });
const refusal = ({ message }) => ({ ...usualError(400).json.error, message });

// {error} or {none}, or null; attempts: Map that counts the failures of fail_times.
function insteadOf(attempts, known, question, asked) {
  if (asked.has('error')) {
    const [http, code] = asked.get('error').split(':');
    return failed(Number(http) || 500, code);
  }
  if (asked.has('timeout')) return failed(504);
  if (asked.has('status0')) return failed(500);
  if (asked.has('expired') || asked.has('cancelled')) return { none: true };
  if (!asked.has('fail_times')) return null;
  const key = `${known.id}\n${question}`;
  attempts.set(key, (attempts.get(key) || 0) + 1);
  return attempts.get(key) <= Number(asked.get('fail_times')) ? failed(500) : null;
}

module.exports = { insteadOf, refusal };
