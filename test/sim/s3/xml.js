'use strict';
// The little XML that S3 speaks. No side effects.

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#13;' };
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const escape = (text) => String(text).replace(/[&<>"\r]/g, (c) => ESCAPES[c]);

function unescape(text) {
  return text.replace(/&(#x[0-9a-f]+|#\d+|\w+);/gi, (whole, name) => {
    if (name[0] !== '#') return ENTITIES[name] || whole;
    return String.fromCodePoint(
      /^#x/i.test(name) ? parseInt(name.slice(2), 16) : Number(name.slice(1)),
    );
  });
}

// {Name: text, Name: [repeated...], Name: {nested}} -> elements; null and undefined are left out.
function elements(value) {
  return Object.entries(value)
    .flatMap(([name, inner]) =>
      (Array.isArray(inner) ? inner : [inner]).map((one) => {
        if (one === null || one === undefined) return '';
        return `<${name}>${typeof one === 'object' ? elements(one) : escape(one)}</${name}>`;
      }),
    )
    .join('');
}

const document = (root, value, namespace = ` xmlns="${NAMESPACE}"`) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${namespace}>${elements(value)}</${root}>`;

// The texts of all elements of this name, nested ones unparsed.
const all = (text, name) =>
  [...text.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map(
    (m) => m[1],
  );
const first = (text, name) =>
  all(text, name).length ? unescape(all(text, name)[0].trim()) : undefined;

module.exports = { document, all, first };
