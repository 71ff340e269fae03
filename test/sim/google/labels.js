'use strict';
// The rules of labels, of resources and of requests alike. Returns null or what is wrong, as text.

const KEY = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const VALUE = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const MOST = 64;

function labelViolation(labels) {
  if (labels === null || typeof labels !== 'object' || Array.isArray(labels))
    return "Invalid value at 'labels', expected a map.";
  const pairs = Object.entries(labels);
  if (pairs.length > MOST) return `The number of labels must be at most ${MOST}.`;
  for (const [key, value] of pairs) {
    if (!KEY.test(key))
      return (
        `Invalid label key "${key}": keys start with a lower-case letter, have at most 63 ` +
        'characters, and only lower-case letters, numbers, underscores and dashes.'
      );
    if (typeof value !== 'string' || !VALUE.test(value))
      return (
        `Invalid value "${value}" of label "${key}": values have at most 63 characters, and ` +
        'only lower-case letters, numbers, underscores and dashes.'
      );
  }
  return null;
}

module.exports = { labelViolation };
