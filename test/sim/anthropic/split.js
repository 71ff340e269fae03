'use strict';
// Finds where each element of {"requests":[...]} lies in a body that arrives in pieces, without
// keeping it.
// Judges the frame around the elements; what is between their ends is the envelope's business
// (envelope.js).

const [OPEN, CLOSE, LIST, END, COMMA, COLON, QUOTE, BACKSLASH] = Buffer.from('{}[],:"\\');
const BLANK = new Set(Buffer.from(' \t\r\n'));
const KEY_BYTES = 200;
const NO_JSON = 'The request body is not valid JSON.';

class Splitter {
  // spans: offset and length of each element in turn. problem: the first thing wrong with the
  // frame, or null.
  constructor() {
    Object.assign(this, {
      spans: [],
      problem: null,
      state: 'start',
      at: 0,
      from: 0,
      depth: 0,
      quoted: false,
      escaped: false,
      key: [],
      named: false,
    });
  }

  push(buffer) {
    let i = 0;
    while (i < buffer.length && this.problem === null) {
      if (this.state === 'element') i = this.element(buffer, i);
      else {
        this.frame(buffer[i], this.at + i);
        if (this.state !== 'element') i++;
      }
    }
    this.at += buffer.length;
  }

  finish() {
    if (this.problem === null && this.state !== 'over') this.problem = NO_JSON;
  }

  // One byte outside the elements.
  frame(byte, offset) {
    if (this.state === 'key') return this.keyByte(byte);
    if (BLANK.has(byte)) return undefined;
    const next = FRAME[this.state][byte];
    if (next) this.state = next;
    else if (this.state === 'first' || this.state === 'next') this.begin(byte, offset);
    else if (this.state === 'list') this.problem = 'requests: Input should be a valid list';
    else if (this.state === 'empty')
      this.problem = byte === CLOSE ? 'requests: Field required' : NO_JSON;
    else if (this.state === 'after' && byte === COMMA) this.state = 'name';
    else this.problem = NO_JSON;
    return undefined;
  }

  // "requests" and nothing else, and once.
  keyByte(byte) {
    if (byte !== QUOTE) {
      if (this.key.push(byte) > KEY_BYTES) this.problem = NO_JSON;
      return;
    }
    const name = Buffer.from(this.key).toString();
    this.key = [];
    if (name !== 'requests' || this.named) this.problem = `${name}: Extra inputs are not permitted`;
    this.named = true;
    this.state = 'colon';
  }

  begin(byte, offset) {
    if (byte === COMMA || byte === END || byte === CLOSE || byte === COLON) {
      this.problem = NO_JSON;
      return;
    }
    Object.assign(this, {
      state: 'element',
      from: offset,
      depth: 0,
      quoted: false,
      escaped: false,
    });
  }

  // Goes on inside an element; returns where the frame goes on.
  element(buffer, start) {
    let { depth, quoted, escaped } = this;
    for (let i = start; i < buffer.length; i++) {
      const byte = buffer[i];
      if (quoted) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) quoted = false;
      } else if (byte === QUOTE) quoted = true;
      else if (byte === OPEN || byte === LIST) depth++;
      else if (depth > 0 && (byte === CLOSE || byte === END)) depth--;
      else if (depth === 0 && (byte === COMMA || byte === END)) {
        this.spans.push(this.from, this.at + i - this.from);
        this.state = byte === COMMA ? 'next' : 'after';
        return i + 1;
      }
    }
    Object.assign(this, { depth, quoted, escaped });
    return buffer.length;
  }
}

// State, byte -> next state; what is missing here is in frame().
const FRAME = {
  start: { [OPEN]: 'empty' },
  empty: { [QUOTE]: 'key' },
  name: { [QUOTE]: 'key' },
  colon: { [COLON]: 'list' },
  list: { [LIST]: 'first' },
  first: { [END]: 'after' },
  next: {},
  after: { [CLOSE]: 'over' },
  over: {},
};

module.exports = { Splitter, NO_JSON };
