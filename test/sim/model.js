'use strict';
// The deterministic "model": the same question always gets the same answer. Knows texts, schemas
// and vectors, no provider's shapes.

const { hash32, words, firstWords } = require('./text');
const { conforming } = require('./schema');

// A short plain answer.
const plainAnswer = (text) =>
  `Sim ${hash32(text).toString(16).padStart(8, '0')}: ${firstWords(text, 12)}`;

// JSON text that conforms to the schema; without one an object with a single "answer".
const jsonAnswer = (schema, text) =>
  JSON.stringify(schema ? conforming(schema, text) : { answer: plainAnswer(text) });

const FEATURES = 16;

// A unit vector of hashed word features: texts that share words point in similar directions.
// `dense` adds faint noise everywhere, for output files of a realistic size.
function embedding(text, dimensions, dense) {
  const vector = new Float64Array(dimensions);
  const seen = words(text);
  for (const word of seen.length ? seen : [text]) {
    for (let i = 0; i < FEATURES; i++) {
      const h = hash32(`${i}/${word}`);
      vector[(h >>> 1) % dimensions] += h & 1 ? 1 : -1;
    }
  }
  if (dense) addNoise(vector, hash32(text));
  return unit(vector);
}

function addNoise(vector, seed) {
  let x = seed || 1;
  for (let i = 0; i < vector.length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    vector[i] += (x / 4294967296 - 0.5) * 0.01;
  }
}

function unit(vector) {
  const norm = Math.sqrt(vector.reduce((sum, v) => sum + v * v, 0));
  if (norm === 0) vector[0] = 1;
  return Array.from(vector, (v) => Math.round((v / (norm || 1)) * 1e8) / 1e8);
}

const base64Floats = (vector) => {
  const out = Buffer.alloc(vector.length * 4);
  vector.forEach((v, i) => out.writeFloatLE(v, i * 4));
  return out.toString('base64');
};

module.exports = { plainAnswer, jsonAnswer, embedding, base64Floats };
