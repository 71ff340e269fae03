'use strict';
// Lies about how a reply travels: status lines, headers, lengths, encodings, bytes without end.
//
// Each lie is a function of (talk, random) that writes the reply to the socket.  talk has reply
// {status, headers, body}, stranger (a URL that nobody may ask), secrets, write(bytes) and end().
// write() resolves to false once the client is gone or the liar has become honest.

const zlib = require('zlib');

const MB = 1 << 20;
const LARGE = 100 * MB;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const headLines = (headers) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

// The honest head, with further lines in front of the empty one.
const head = ({ reply }, more = '', status = reply.status) =>
  `HTTP/1.1 ${status} OK\r\n${headLines(reply.headers)}${more}\r\n`;
const sized = (body, more = '') => `content-length: ${body.length}\r\nconnection: close\r\n${more}`;

// A whole reply in one piece, and the end.
async function whole(talk, text, body = talk.reply.body) {
  await talk.write(text);
  await talk.write(body);
  talk.end();
}

// Writes pieces until the client has enough of them or limit bytes are out.
async function flood(talk, piece, limit = Infinity) {
  for (let sent = 0; sent < limit; sent += piece.length) {
    if (!(await talk.write(piece))) return;
  }
}

const status = (line) => (talk) =>
  whole(talk, `${line}\r\n${headLines(talk.reply.headers)}${sized(talk.reply.body)}\r\n`);
const header = (make) => (talk, random) =>
  whole(talk, head(talk, sized(talk.reply.body, make(talk, random))));
const length = (value) => (talk) =>
  whole(talk, head(talk, `content-length: ${value}\r\nconnection: close\r\n`));
const chunked = (body) => (talk) =>
  whole(
    talk,
    head(talk, 'transfer-encoding: chunked\r\nconnection: close\r\n'),
    body(talk.reply.body),
  );
const chunk = (body) =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);

const STATUSES = {
  'status 000': status('HTTP/1.1 000 no'),
  'status 999': status('HTTP/1.1 999 no'),
  'status 1': status('HTTP/1.1 1 no'),
  'status of ten digits': status('HTTP/1.1 2000000000 no'),
  'status negative': status('HTTP/1.1 -200 no'),
  'status 101': status('HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c'),
  'status 204 with a body': status('HTTP/1.1 204 No Content'),
  'status 206 unasked': status(
    'HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 5-9/9223372036854775807',
  ),
  'status 304': status('HTTP/1.1 304 Not Modified'),
  'status 401': status(
    'HTTP/1.1 401 no\r\nwww-authenticate: Basic realm="x"\r\nwww-authenticate: Negotiate\r\n' +
      'www-authenticate: NTLM TlRMTVNTUAACAAAA',
  ),
  'status 407': status('HTTP/1.1 407 no\r\nproxy-authenticate: Basic realm="x"'),
  'status 410': status('HTTP/1.1 410 Gone'),
  'status 404': status('HTTP/1.1 404 Not Found'),
  'status 400': status('HTTP/1.1 400 no'),
  'status 500': status('HTTP/1.1 500 no'),
  'HTTP/9.9': status('HTTP/9.9 200 OK'),
  'HTTP/0.9': (talk) => whole(talk, ''),
  'HTTP/2 preface': (talk) => whole(talk, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  'SMTP': (talk) => whole(talk, '220 mail ESMTP\r\n250 OK\r\n'),
  'NUL in the status line': status('HTTP/1.1 200 O\0K'),
  'reason of 1 MB': status(`HTTP/1.1 200 ${'x'.repeat(MB)}`),
  'a thousand times 100': status('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000) + 'HTTP/1.1 200 OK'),
};

const HEADERS = {
  'a million headers': async (talk) => {
    await talk.write(`HTTP/1.1 ${talk.reply.status} OK\r\n`);
    await flood(talk, Buffer.from('a: b\r\n'.repeat(10000)), 6e6);
    await whole(talk, `${headLines(talk.reply.headers)}${sized(talk.reply.body)}\r\n`);
  },
  'a header of 100 MB': async (talk) => {
    await talk.write(`HTTP/1.1 ${talk.reply.status} OK\r\nx: `);
    await flood(talk, Buffer.alloc(MB, 'x'), LARGE);
    await whole(talk, `\r\n${headLines(talk.reply.headers)}${sized(talk.reply.body)}\r\n`);
  },
  'headers without end': async (talk) => {
    await talk.write('HTTP/1.1 200 OK\r\n');
    await flood(talk, Buffer.from(`x-request-id: ${'y'.repeat(1000)}\r\n`.repeat(100)));
  },
  '100 without end': (talk) =>
    flood(talk, Buffer.from('HTTP/1.1 100 Continue\r\nx: y\r\n\r\n'.repeat(1000))),
  'a header that drips': async (talk) => {
    await talk.write('HTTP/1.1 200 OK\r\nx: ');
    while (await talk.write('y')) await sleep(200);
  },
  'folded header': header(() => 'x: y\r\n z\r\n\tw\r\n'),
  'header without a colon': header(() => 'no colon here\r\n'),
  'header without a name': header(() => ': y\r\n'),
  'NUL in a header': header(() => 'x-request-id: a\0b\r\nretry-after: 1\0\r\n'),
  'bytes in a header': (talk) =>
    whole(
      talk,
      Buffer.from(
        head(
          talk,
          sized(
            talk.reply.body,
            'x-request-id: \xff\xfe\x80\x01\x1b[2J\r\nrequest-id: \xc3\x28\r\n',
          ),
        ),
        'latin1',
      ),
    ),
  'a request id of 60 kB': header(() => `x-request-id: ${'i'.repeat(60000)}\r\n`),
  'cookies': header(({ stranger }) =>
    `set-cookie: a=${'b'.repeat(3000)}; domain=${new URL(stranger).hostname}\r\n`.repeat(40),
  ),
  'Alt-Svc': header(
    ({ stranger }) => `alt-svc: h2="${new URL(stranger).host}"; ma=86400; persist=1, clear\r\n`,
  ),
  'Refresh and Link': header(
    ({ stranger }) =>
      `refresh: 0; url=${stranger}/refresh\r\nlink: <${stranger}/link>; rel=next\r\nlocation: ` +
      `${stranger}/location\r\n`,
  ),
  'other lengths': header(() => 'content-length: 7\r\n'),
  'a type that lies': header(
    () => 'content-type: text/html; charset=utf-7\r\ncontent-type: application/xml\r\n',
  ),
};

const AGAINS = [
  '-1',
  '0',
  '1e30',
  '99999999999999999999',
  '9223372036854775807',
  'soon',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Fri, 31 Dec 9999 23:59:59 GMT',
  '\t 5 \t5',
  '0x10',
  '',
];
const RETRIES = {
  'Retry-After': (talk, random) =>
    whole(
      talk,
      head(
        talk,
        sized(talk.reply.body, `retry-after: ${random.of(AGAINS)}\r\n`),
        random.of([200, 429, 500, 503, 529]),
      ),
    ),
  'Retry-After in ms, and resets': (talk, random) =>
    whole(
      talk,
      head(
        talk,
        sized(
          talk.reply.body,
          `retry-after-ms: ${random.of(AGAINS)}\r\nx-ratelimit-reset-requests: ` +
            `${random.of(AGAINS)}\r\nanthropic-ratelimit-requests-reset: ${random.of(AGAINS)}\r\n`,
        ),
        429,
      ),
    ),
};

const PLACES = ['/', '/v1/models', '/stolen?x=1'];
const to = (make) => (talk, random) =>
  whole(
    talk,
    head(
      talk,
      sized(talk.reply.body, `location: ${make(talk.stranger + random.of(PLACES))}\r\n`),
      random.of([301, 302, 303, 307, 308]),
    ),
  );
const REDIRECTS = {
  'redirect to a stranger': to((url) => url),
  'redirect without a scheme': to((url) => url.replace(/^http:/, '')),
  'redirect with a user': to((url) => url.replace('//', '//127.0.0.1:443@')),
  'redirect to a file': to(() => 'file:///etc/passwd'),
  'redirect to gopher': to((url) => url.replace(/^http/, 'gopher')),
  'redirect to the metadata': to(
    () => 'http://169.254.169.254/latest/meta-data/iam/security-credentials/',
  ),
  'redirect without end': to(() => '#'),
};

const LENGTHS = {
  'length negative': length(-1),
  'length 2^63': length('9223372036854775808'),
  'length 2^64': length('18446744073709551616'),
  'length 2^63-1': length('9223372036854775807'),
  'length hexadecimal': length('0x10'),
  'length of words': length('many'),
  'length 0': length(0),
  'length too small': (talk) => length(talk.reply.body.length >> 1)(talk),
  'length too large': (talk) => length(talk.reply.body.length + 10)(talk),
  'cut': async (talk) =>
    whole(
      talk,
      head(talk, sized(talk.reply.body)),
      talk.reply.body.subarray(0, talk.reply.body.length * 0.7),
    ),
  'no length': (talk) => whole(talk, head(talk, 'connection: close\r\n')),
  'nothing': (talk) => talk.end(),
  'a head only': async (talk) => {
    await talk.write(head(talk, sized(talk.reply.body)).slice(0, -2));
    talk.end();
  },
  'a reset': (talk) => talk.reset(),
  'a reply too much': (talk) =>
    whole(
      talk,
      head(talk, `content-length: ${talk.reply.body.length}\r\n`),
      Buffer.concat([
        talk.reply.body,
        Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'),
      ]),
    ),
};

const CHUNKS = {
  'chunk of 2^64-1': chunked((body) => Buffer.concat([Buffer.from('FFFFFFFFFFFFFFFF\r\n'), body])),
  'chunk of 2^68': chunked((body) => Buffer.concat([Buffer.from('FFFFFFFFFFFFFFFFF\r\n'), body])),
  'chunk negative': chunked((body) => Buffer.concat([Buffer.from('-5\r\n'), body])),
  'chunk of words': chunked((body) => Buffer.concat([Buffer.from('zebra\r\n'), body])),
  'chunk unfinished': chunked((body) => chunk(body)),
  'chunk too long': chunked((body) =>
    Buffer.concat([Buffer.from('3\r\n'), body, Buffer.from('\r\n0\r\n\r\n')]),
  ),
  'chunks of one byte': chunked((body) =>
    Buffer.concat([
      ...[...body.subarray(0, 20000)].map((byte) => chunk(Buffer.from([byte]))),
      chunk(Buffer.concat([body.subarray(20000), Buffer.from(' ')])),
      Buffer.from('0\r\n\r\n'),
    ]),
  ),
  'chunked, and a length': (talk) =>
    whole(
      talk,
      head(talk, 'transfer-encoding: chunked\r\ncontent-length: 3\r\nconnection: close\r\n'),
      Buffer.concat([chunk(talk.reply.body), Buffer.from('0\r\n\r\n')]),
    ),
  'chunk extension without end': async (talk) => {
    await talk.write(head(talk, 'transfer-encoding: chunked\r\n'));
    await talk.write('5;a=');
    await flood(talk, Buffer.alloc(MB, 'x'));
  },
  'trailers without end': async (talk) => {
    await talk.write(head(talk, 'transfer-encoding: chunked\r\n'));
    await talk.write(chunk(talk.reply.body));
    await talk.write('0\r\n');
    await flood(talk, Buffer.from('x: y\r\n'.repeat(10000)));
  },
  'chunked twice': (talk) =>
    whole(talk, head(talk, 'transfer-encoding: chunked, chunked\r\nconnection: close\r\n')),
};

// gzip of n bytes, made once.
const made = new Map();
function bomb(n) {
  if (!made.has(n)) made.set(n, zlib.gzipSync(Buffer.alloc(n, ' '), { level: 9 }));
  return made.get(n);
}
const packed = (coding, make) => (talk) => {
  const body = make(talk.reply.body);
  return whole(talk, head(talk, sized(body, `content-encoding: ${coding}\r\n`)), body);
};
const PACKS = {
  'gzip': packed('gzip', (body) => zlib.gzipSync(body)),
  'gzip that is none': packed('gzip', (body) => body),
  'gzip cut': packed('gzip', (body) => {
    const all = zlib.gzipSync(body);
    return all.subarray(0, all.length - 9);
  }),
  'gzip and rubbish': packed('gzip', (body) =>
    Buffer.concat([zlib.gzipSync(body), Buffer.from('rubbish')]),
  ),
  'gzip twenty times': packed(Array(20).fill('gzip').join(', '), (body) => body),
  'gzip twice': packed('gzip, gzip', (body) => zlib.gzipSync(zlib.gzipSync(body))),
  'deflate that is none': packed('deflate', (body) => body),
  'br': packed('br', (body) => body),
  'an encoding nobody knows': packed('rot13', (body) => body),
  'gzip bomb': packed('gzip', () => bomb(400 * MB)),
  'gzip bomb in a bomb': packed('gzip, gzip', () => zlib.gzipSync(bomb(400 * MB))),
  'gzip bomb after the reply': packed('gzip', (body) =>
    Buffer.concat([zlib.gzipSync(body), bomb(400 * MB)]),
  ),
};

const ENDLESS = {
  'spaces without end': async (talk) => {
    await talk.write(head(talk, 'connection: close\r\n'));
    await flood(talk, Buffer.alloc(MB, ' '));
  },
  'lines without end': async (talk) => {
    await talk.write(head(talk, 'connection: close\r\n'));
    await talk.write(talk.reply.body);
    await flood(talk, Buffer.from('\n{}'.repeat(100000)));
  },
  'the body again and again': async (talk) => {
    await talk.write(head(talk, 'connection: close\r\n'));
    await flood(
      talk,
      Buffer.concat(Array(64).fill(Buffer.concat([talk.reply.body, Buffer.from('\n')]))),
    );
  },
  'one word without end': async (talk) => {
    await talk.write(head(talk, 'connection: close\r\n'));
    await talk.write('{"a":"');
    await flood(talk, Buffer.alloc(MB, 'x'));
  },
  'a body that drips': async (talk) => {
    await talk.write(head(talk, `content-length: ${talk.reply.body.length + 1e6}\r\n`));
    await talk.write(talk.reply.body);
    while (await talk.write(' ')) await sleep(200);
  },
  'a body that hangs': async (talk) => {
    await talk.write(head(talk, `content-length: ${talk.reply.body.length + 1}\r\n`));
    await talk.write(talk.reply.body);
    await talk.closed();
  },
  'a hang': (talk) => talk.closed(),
};

// name → {say, heavy}: heavy ones move many bytes, and are to be rare
const all = (lies, more = {}) =>
  Object.entries(lies).map(([name, say]) => ({
    name,
    say,
    heavy: /without end|again and again|100 MB|bomb|hang|drips/.test(name),
    ...more,
  }));
const WIRE = [STATUSES, HEADERS, RETRIES, REDIRECTS, LENGTHS, CHUNKS, PACKS, ENDLESS].flatMap(
  (lies) => all(lies),
);

module.exports = { WIRE, MB };
