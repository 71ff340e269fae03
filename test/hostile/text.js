'use strict';
// Lies within a body: values of JSON or XML replaced, states, counts, ids, addresses, tokens; lines
// of results forged. Pure.
//
// Each lie is a function of (talk, random) that returns the body's bytes, or undefined if it does
// not apply. talk has body (a Buffer), stranger (a URL that nobody may ask), secrets (what the
// client has sent), and seen (ids of other jobs).
//
// What a lie puts under the id of record N still ends in "record N", so that a row shows whose
// answer it got; what is put under other ids says FORGED.

const MB = 1 << 20;

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
const quote = JSON.stringify;

// ---- values ----

// Text of JSON put in place of a value.
const deep = (n) => `${'['.repeat(n)}${']'.repeat(n)}`;
const VALUES = {
  'null': () => 'null',
  'true': () => 'true',
  'an empty text': () => '""',
  'an empty object': () => '{}',
  'an empty list': () => '[]',
  '-1': () => '-1',
  '-0.0': () => '-0.0',
  '2^63': () => '9223372036854775808',
  '-2^63': () => '-9223372036854775808',
  '2^64': () => '18446744073709551616',
  '2^31': () => '2147483648',
  '1e400': () => '1e400',
  'a number of 100 kB': () => '7'.repeat(100000),
  'an exponent of 10 kB': () => `1e${'9'.repeat(10000)}`,
  'NaN': () => 'NaN',
  'Infinity': () => '-Infinity',
  'hexadecimal': () => '0x41',
  'a number as text': () => '"12"',
  'NUL': () => '"a\\u0000b"',
  'a lone surrogate': () => '"\\ud800"',
  'surrogates the wrong way': () => '"\\udc00\\ud800 x"',
  'invalid UTF-8': () => '"\xff\xc0\x80\xed\xa0\x80"',
  'a raw NUL': () => '"a\0b"',
  'a raw line break': () => '"a\nb"',
  'a bad escape': () => '"\\x41\\u12"',
  'control characters': () => '"\\u001b[2J\\u0007\\u202e\\ufeff"',
  '1 MB of text': () => quote('x'.repeat(MB)),
  '1 MB of escapes': () => `"${'\\u00e9'.repeat(MB / 6)}"`,
  'depth 100': () => deep(100),
  'depth 100,000': () => deep(100000),
  '100,000 members': () =>
    `{${Array.from({ length: 100000 }, (_, i) => `"m${i}":${i}`).join(',')}}`,
  '100,000 equal members': () => `{${Array(100000).fill('"a":1').join(',')}}`,
  'a list of a million': () => `[${'0,'.repeat(1e6)}0]`,
  'a path': () => quote('../../../../../../etc/passwd'),
  'a packed path': () => quote('%2e%2e%2f%2e%2e%2f_sim%2freset'),
  'a path to steer by': () => quote('/../../_sim/reset'),
  'a query': () => quote('x?limit=1&x=y#z'),
  'a header': () => quote('x\r\nhost: evil\r\nx-y: z'),
  'a space': () => quote(' '),
  'SQL': () =>
    quote(
      "'; DROP TABLE batchinf.result; SELECT pg_terminate_backend(pid) FROM pg_stat_activity; --",
    ),
  'a format': () => quote('%s%n%n%n%1$s {{body}} $1 \\1'),
  'markup': () => quote('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
  'a stranger': ({ stranger }) => quote(`${stranger}/v1/files/x`),
  'a stranger with a user': ({ stranger }) => quote(stranger.replace('//', '//127.0.0.1@')),
  'a stranger without a scheme': ({ stranger }) => quote(stranger.replace(/^http:/, '')),
  'a stranger behind a backslash': ({ stranger }) => quote(stranger.replace('//', '/\\')),
  'a bucket of others': () => quote('s3://foreign-batch/x/'),
  'the metadata': () => quote('http://169.254.169.254/latest/meta-data/'),
  'a file': () => quote('file:///etc/passwd'),
  'an id of others': ({ seen }, random) => quote(random.of(seen) || 'batch_other'),
};

const SECRETS = {
  'a secret': (secret) => quote(`Incorrect API key provided: ${secret}. You can find it there.`),
  'a secret alone': (secret) => quote(secret),
  'a secret as \\u': (secret) =>
    `"key \\u${[...secret].map((c) => c.charCodeAt(0).toString(16).padStart(4, '0')).join('\\u')}"`,
  'a secret half as \\u': (secret) => {
    const code = (c) => c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return `"key ${[...secret].map((c, i) => (i % 2 ? c : `\\u${code(c)}`)).join('')}"`;
  },
  'a secret with \\/': (secret) => `"key ${quote(secret).slice(1, -1).replace(/\//g, '\\/')}"`,
  'a secret twice': (secret) => quote(secret + secret),
  'a secret in itself': (secret) => quote(secret.slice(0, 5) + secret + secret.slice(5)),
};

// A place of the body where something is replaced: all leaves, or the objects and lists too.
function places(value, inner, path = [], found = []) {
  const holds = value && typeof value === 'object';
  if (path.length && (inner || !holds)) found.push(path);
  if (holds)
    Object.keys(value).forEach(
      (key) => found.length < 5000 && places(value[key], inner, [...path, key], found),
    );
  return found;
}

const MARK = '"\u0001here\u0001"';

// The document with text in place of what is at path.
function replaced(document, path, text) {
  const copy = JSON.parse(quote(document));
  let at = copy;
  path.slice(0, -1).forEach((key) => {
    at = at[key];
  });
  at[path[path.length - 1]] = JSON.parse(MARK.replace(/\u0001/g, '\\u0001'));
  return quote(copy).replace('"\\u0001here\\u0001"', () => text);
}

// The body's documents: one, or one a line; undefined if it is something else.
function documents(body) {
  const text = body.toString();
  const one = parse(text);
  if (one !== undefined) return { list: [one], texts: [text] };
  const texts = text.split('\n').filter(Boolean);
  const list = texts.map(parse);
  return texts.length && !list.includes(undefined) ? { list, texts } : undefined;
}

const latin = (text) =>
  Buffer.from(
    [...text].some((c) => c >= '\x80' && c <= '\xff') && ![...text].some((c) => c > '\xff')
      ? Buffer.from(text, 'latin1')
      : text,
  );

// A lie that replaces a random value, in one line of results or in several, by what make returns.
const value = (make, inner) => (talk, random) => {
  const docs = documents(talk.body);
  if (!docs) return xml(talk, random, make);
  const texts = docs.list.map((doc, i) => {
    const all = places(doc, inner);
    return !all.length || (docs.list.length > 1 && random.next() < 0.5)
      ? docs.texts[i]
      : replaced(doc, random.of(all), make(talk, random));
  });
  return latin(texts.join('\n') + (docs.list.length > 1 ? '\n' : ''));
};

// The same of XML: a text between tags.
function xml(talk, random, make) {
  const text = talk.body.toString();
  const all = [...text.matchAll(/>([^<>]+)</g)];
  if (!/^\s*</.test(text) || !all.length) return undefined;
  const hit = random.of(all);
  const made = make(talk, random);
  const inner = typeof parse(made) === 'string' ? parse(made) : made;
  return latin(text.slice(0, hit.index + 1) + inner + text.slice(hit.index + 1 + hit[1].length));
}

const needsSecret = (make) => (talk, random) =>
  talk.secrets.length ? value((t, r) => make(r.of(t.secrets), t, r))(talk, random) : undefined;

// ---- words, members, whole documents ----

const STATES = [
  'validating',
  'queued',
  'in_progress',
  'finalizing',
  'completed',
  'failed',
  'expired',
  'cancelling',
  'cancelled',
  'canceling',
  'ended',
  'Submitted',
  'InProgress',
  'Completed',
  'Failed',
  'PartiallyCompleted',
  'Stopped',
  'Expired',
  'Scheduled',
  'JOB_STATE_PENDING',
  'JOB_STATE_RUNNING',
  'JOB_STATE_SUCCEEDED',
  'JOB_STATE_FAILED',
  'JOB_STATE_CANCELLED',
  'JOB_STATE_EXPIRED',
  'JOB_STATE_PAUSED',
  'JOB_STATE_PARTIALLY_SUCCEEDED',
  'BATCH_STATE_PENDING',
  'BATCH_STATE_RUNNING',
  'BATCH_STATE_SUCCEEDED',
  'BATCH_STATE_FAILED',
  'BATCH_STATE_CANCELLED',
  'BATCH_STATE_EXPIRED',
  'processed',
  'ACTIVE',
  'no such state',
];

// Each word that is a state becomes another of the same kind, always the one that is given.
const state = (choose) => (talk, random) => {
  let changed = false;
  const text = talk.body.toString().replace(/"(\w+)"(?!\s*:)/g, (whole, word) => {
    if (!STATES.includes(word) || talk.body.length > MB) return whole;
    const prefix = word.includes('_STATE_') ? word.replace(/_STATE_.*/, '_STATE_') : '';
    const like = STATES.filter((other) =>
      prefix
        ? other.startsWith(prefix)
        : !other.includes('_STATE_') && /^[A-Z]/.test(other) === /^[A-Z]/.test(word),
    );
    changed = true;
    return quote(choose(like, random));
  });
  return changed ? Buffer.from(text) : undefined;
};

// Each number changed; numbers that are texts too.
const numbers = (change) => (talk, random) => {
  let changed = false;
  const text = talk.body
    .toString()
    .replace(/(:\s*"?)(\d+)("?\s*[,}\]])/g, (whole, before, number, after) => {
      if (talk.body.length > MB) return whole;
      changed = true;
      return before + change(number, random) + after;
    });
  return changed ? Buffer.from(text) : undefined;
};

// Each member of the outer object twice: at first what make returns, or it comes last.
const twice = (first) => (talk) => {
  const docs = documents(talk.body);
  if (!docs) return undefined;
  const lie = (doc) =>
    Object.keys(doc)
      .map((key) => `${quote(key)}:${quote(`twice ${key}`)}`)
      .join(',');
  return Buffer.from(
    docs.list
      .map((doc, i) =>
        !doc || Array.isArray(doc) || typeof doc !== 'object' || !Object.keys(doc).length
          ? docs.texts[i]
          : first
            ? `{${lie(doc)},${quote(doc).slice(1)}`
            : `${quote(doc).slice(0, -1)},${lie(doc)}}`,
      )
      .join('\n'),
  );
};

function without(talk, random) {
  const docs = documents(talk.body);
  if (!docs || !docs.list.some((doc) => places(doc, true).length)) return undefined;
  return Buffer.from(
    docs.list
      .map((doc) => {
        const all = places(doc, true);
        if (!all.length) return quote(doc);
        const copy = JSON.parse(quote(doc));
        const path = random.of(all);
        let at = copy;
        path.slice(0, -1).forEach((key) => {
          at = at[key];
        });
        if (Array.isArray(at)) at.splice(Number(path[path.length - 1]), 1);
        else delete at[path[path.length - 1]];
        return quote(copy);
      })
      .join('\n'),
  );
}

// Two values of one document change places; not in results, where it would be an answer's text.
function swapped(talk, random) {
  const docs = documents(talk.body);
  if (!docs || docs.list.length > 1 || /record \d/.test(talk.body)) return undefined;
  const all = places(docs.list[0]);
  if (all.length < 2) return undefined;
  const [one, other] = random.shuffled(all);
  const of = (path) => path.reduce((at, key) => at[key], docs.list[0]);
  return Buffer.from(
    replaced(JSON.parse(replaced(docs.list[0], one, quote(of(other)))), other, quote(of(one))),
  );
}

// A byte somewhere, but not where a row reads whose answer it got.
function byte({ body }, random, change) {
  const whose = [...body.toString('latin1').matchAll(/tag \S+ record \d+/g)];
  const at = random.below(body.length);
  return body.length && !whose.some((hit) => at >= hit.index && at < hit.index + hit[0].length)
    ? change(body, at)
    : undefined;
}

const instead = (text) => (talk, random) =>
  Buffer.from(typeof text === 'function' ? text(talk, random) : text);
const around =
  (before, after = '') =>
  ({ body }) =>
    Buffer.concat([Buffer.from(before), body, Buffer.from(after)]);

const STATUSES = ['-1', '0', '99', '429', '500', '1e9', '2147483648', 'null', '"200"'];
const TOKENS = ['-5', '9223372036854775807', '9223372036854775808', '1e18', '0.5', '"7"', 'null'];

const DOCUMENTS = {
  'states at random': state((like, random) => random.of(like)),
  'all has succeeded': state(
    (like) => like.find((word) => /complete|ended|SUCCEEDED/i.test(word)) || like[0],
  ),
  'all is under way': state(
    (like) => like.find((word) => /progress|RUNNING/i.test(word)) || like[0],
  ),
  'all has failed': state((like) => like.find((word) => /fail/i.test(word)) || like[0]),
  'a state nobody knows': state(() => 'no_such_state'),
  'numbers negative': numbers((number) => `-${number}`),
  'numbers of 2^63': numbers(() => '9223372036854775808'),
  'numbers of 2^63-1': numbers(() => '9223372036854775807'),
  'numbers one more': numbers((number) => String(Number(number) + 1)),
  'numbers 0': numbers(() => '0'),
  'members twice, the lie first': twice(true),
  'members twice, the lie last': twice(false),
  'a member less': without,
  'two values swapped': swapped,
  'a BOM': around('\u{feff}'),
  'rubbish behind': around('', '}]x{"a":1}'),
  'another document behind': around('', '{"id":"x"}'),
  'spaces around': around(' \t\r\n'.repeat(10000), ' \n'.repeat(10000)),
  'a byte lost': (talk, random) =>
    byte(talk, random, (body, at) => Buffer.concat([body.subarray(0, at), body.subarray(at + 1)])),
  'a byte changed': (talk, random) =>
    byte(talk, random, (body, at) => {
      const copy = Buffer.from(body);
      copy[at] ^= 1 << random.below(8);
      return copy;
    }),
  'half': ({ body }) => body.subarray(0, body.length >> 1),
  'empty': instead(''),
  'UTF-16': ({ body }) =>
    Buffer.concat([Buffer.from('\xff\xfe', 'latin1'), Buffer.from(body.toString(), 'utf16le')]),
  'null alone': instead('null'),
  'a list alone': instead('[]'),
  'a number alone': instead('1e99999'),
  'a text alone': instead('"completed"'),
  'an empty object alone': instead('{}'),
  'depth 100,000 alone': instead(deep(100000)),
  'objects in objects': instead(`${'{"a":'.repeat(50000)}1${'}'.repeat(50000)}`),
  'unclosed': instead('['.repeat(8 * MB - 10)),
  'a list of 4 million': instead(`[${'0,'.repeat(4e6 - 10)}0]`),
  '8 MB of one text': instead(`{"id":"${'i'.repeat(8 * MB - 100)}"}`),
  'XML entities': instead(
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">' +
      Array.from({ length: 10 }, (_, i) => {
        const one = `&a${i ? i - 1 : ''};`;
        return `<!ENTITY a${i} "${one.repeat(10)}">`;
      }).join('') +
      ']><l>&a9;</l>',
  ),
  'XML of 8 MB': instead(`<a>${'<b>'.repeat(2.7e6)}`),
  'a page': instead('<html><body><h1>502 Bad Gateway</h1></body></html>'),
  'one more page': ({ body }, random) => {
    const doc = parse(body.toString());
    return doc && typeof doc === 'object' && !Array.isArray(doc)
      ? Buffer.from(
          quote({
            ...doc,
            has_more: true,
            last_id: random.of(['', 'x', '../x', doc.last_id]),
            nextPageToken: 'again',
            nextToken: 'again',
            next_page: '/x',
          }),
        )
      : undefined;
  },
};

// ---- lines of results ----

const NUMBER = /record (\d+)/;
const ID = /"(custom_id|recordId|key)":"((?:[^"\\]|\\.)*)"/;

function lines(body) {
  const text = body.toString();
  const list = text.split('\n').filter(Boolean);
  return list.length &&
    list.length < 5000 &&
    list.every((line) => line[0] === '{' && NUMBER.test(line) && parse(line))
    ? list
    : undefined;
}

const file = (make) => (talk, random) => {
  const list = lines(talk.body);
  return list && Buffer.from(make(list, talk, random).join('\n') + '\n');
};
const relabelled = (line, number) => line.replace(/record \d+/g, `record ${number}`);
const numberOf = (line) => NUMBER.exec(line)[1];
const forged = (line, id) =>
  line.replace(ID, (whole, name) => `"${name}":${quote(id)}`).replace(/record \d+/g, 'FORGED');

// The lines of others that this liar has seen, at most some.
const others = [];
function remember(list) {
  others.push(...list.slice(0, 3));
  while (others.length > 300) others.shift();
}

// An answer under an id that is right: its words are the liar's, its number is the record's.
function answersSwapped(list, talk, random) {
  const ids = list.map((line) => (ID.exec(line) || [])[2]);
  const order = random.shuffled(list.map((_, i) => i));
  if (ids.includes(undefined)) return order.map((i) => list[i]);
  return list.map((line, i) =>
    relabelled(list[order[i]], numberOf(line)).replace(
      ID,
      (whole, name) => `"${name}":"${ids[i]}"`,
    ),
  );
}

const LINES = {
  'lines of other jobs': file((list, talk, random) => {
    const before = [...others];
    remember(list);
    return random.shuffled([...list, ...before]);
  }),
  'lines of other jobs only': file((list) => {
    const before = [...others];
    remember(list);
    return before;
  }),
  'answers swapped': file(answersSwapped),
  'lines twice': file((list, talk, random) => random.shuffled([...list, ...list])),
  'lines twice, otherwise': file((list, talk, random) =>
    random.shuffled([...list, ...list.map((line) => line.replace(/record \d+/, 'second $&'))]),
  ),
  'a line a hundred times': file((list, talk, random) => [
    ...list,
    ...Array(100).fill(random.of(list)),
  ]),
  'lines lost': file((list, talk, random) => list.filter(() => random.next() < 0.5)),
  'ids of nobody': file((list, talk, random) => [
    ...list,
    ...list.map((line) =>
      forged(
        line,
        random.of([
          '',
          '0',
          '-1',
          '1',
          '9999999999',
          '18446744073709551617',
          '1 ',
          '01',
          '1e0',
          '%s',
          '../1',
          "' OR 1=1",
          'x'.repeat(MB),
        ]),
      ),
    ),
  ]),
  'ids with something behind': file((list) =>
    list.flatMap((line) => {
      const id = (ID.exec(line) || [])[2];
      return id === undefined
        ? [line]
        : [
            forged(line, `${parse(`"${id}"`)}\0`),
            forged(line, `${parse(`"${id}"`)}0`),
            forged(line, ` ${parse(`"${id}"`)}`),
            line,
          ];
    }),
  ),
  'ids as numbers': file((list) => [
    ...list,
    ...list.map((line) =>
      line.replace(ID, (whole, name) => `"${name}":7`).replace(/record \d+/g, 'FORGED'),
    ),
  ]),
  'two ids in a line': file((list, talk, random) =>
    list.map((line) =>
      line.replace(
        ID,
        (whole, name) => `"${name}":${quote((ID.exec(random.of(list)) || [])[2] || 'x')},${whole}`,
      ),
    ),
  ),
  'no line break': file((list) => [list.join('')]),
  'line breaks of others': file((list) => [list.join('\r\n') + '\r']),
  'empty lines': file((list) => [...Array(10000).fill(''), ...list, ...Array(10000).fill(' \t')]),
  'a line of 65 MB': file((list) => [`{"a":"${'x'.repeat(65 * MB)}"}`, ...list]),
  'a line of 60 MB': file((list) => [`{"a":"${'x'.repeat(60 * MB)}"}`, ...list]),
  'a line of 20 million numbers': file((list) => [`{"a":[${'0,'.repeat(20e6)}0]}`, ...list]),
  'a line of 5 million objects': file((list) => [`{"a":[${'{"a":{}},'.repeat(5e6)}0]}`, ...list]),
  'an answer of 20 MB': file((list) => [
    list[0].replace(/record \d+/, (text) => `${'x'.repeat(20 * MB)} ${text}`),
    ...list.slice(1),
  ]),
  'a million rubbish lines': file((list) => ['x\n'.repeat(1e6), ...list]),
  'a million lines of nobody': file((list) => [
    '{"custom_id":"x","recordId":"x","key":"x"}\n'.repeat(1e6),
    ...list,
  ]),
  'statuses in lines': file((list, talk, random) =>
    list.map((line) =>
      line.replace(
        /"(status_code|code)":\d+/g,
        (whole, name) => `"${name}":${random.of(STATUSES)}`,
      ),
    ),
  ),
  'tokens in lines': file((list, talk, random) =>
    list.map((line) =>
      line.replace(/("\w*[tT]oken\w*":)\d+/g, (whole, name) => `${name}${random.of(TOKENS)}`),
    ),
  ),
  'an error in each line': file((list, talk, random) =>
    list.map((line) =>
      line.replace(
        /^\{/,
        `{"error":{"code":${random.of(['400', '"x"', 'null', '-1', '[]'])},"message":"record ` +
          'nothing"},',
      ),
    ),
  ),
};

// ---- replies of logins ----

const isLogin = (body) =>
  /"(access_token|AccessToken|token|SecretAccessKey)"/.test(body.subarray(0, 100000));
const token =
  (make) =>
  ({ body }) =>
    isLogin(body)
      ? Buffer.from(
          body
            .toString()
            .replace(
              /"(access_token|AccessToken)":"[^"]*"/,
              (whole, name) => `"${name}":${make()}`,
            ),
        )
      : undefined;
const lifetime =
  (text) =>
  ({ body }) =>
    isLogin(body)
      ? Buffer.from(
          body
            .toString()
            .replace(
              /"(expires_in|ext_expires_in|expireTime|Expiration)":("[^"]*"|\d+)/g,
              (whole, name) => `"${name}":${text}`,
            ),
        )
      : undefined;

const LOGINS = {
  'a token of 7 MB': token(() => quote('t'.repeat(7e6))),
  'a token of 60 kB': token(() => quote('t'.repeat(60000))),
  'a token with a line break': token(() => quote('ya29\r\nHost: evil\r\nX-Y: z')),
  'a token with a NUL': token(() => '"ya29\\u0000x"'),
  'a token of nothing': token(() => '""'),
  'a token of spaces': token(() => '"   "'),
  'a token of letters': token(() => quote('tökén\u{1f600}')),
  'a token that is a list': token(() => '["a"]'),
  'a lifetime negative': lifetime('-3600'),
  'a lifetime 0': lifetime('0'),
  'a lifetime for ever': lifetime('1e18'),
  'a lifetime of 2^63': lifetime('9223372036854775808'),
  'a lifetime of words': lifetime('"soon"'),
};

const all = (lies, more) =>
  Object.entries(lies).map(([name, make]) => ({
    name,
    make,
    heavy: /\d MB|illion|bomb/.test(name),
    ...more,
  }));
const TEXT = [
  ...all(
    Object.fromEntries(
      Object.entries(VALUES).map(([name, make]) => [
        `value: ${name}`,
        value(make, name.startsWith('depth')),
      ]),
    ),
  ),
  ...all(
    Object.fromEntries(Object.entries(SECRETS).map(([name, make]) => [name, needsSecret(make)])),
    { quotes: true },
  ),
  ...all(DOCUMENTS),
  ...all(LINES),
  ...all(LOGINS),
];

module.exports = { TEXT };
