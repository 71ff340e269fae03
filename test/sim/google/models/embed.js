'use strict';
// Runs one embedding request: of a gemini-embedding model, or a line of the older text embeddings.
// Bills nothing.

const { insteadOf, refusal } = require('./instead');
const { fields, textOf, Bad } = require('./bodies');
const { bad } = require('./bad');
const directives = require('../../directives');
const model = require('../../model');
const { tokens } = require('../../text');

const OPTIONS = [
  'taskType',
  'title',
  'outputDimensionality',
  'autoTruncate',
  'documentOcr',
  'audioTrackExtraction',
];
const TASKS = [
  'RETRIEVAL_QUERY',
  'RETRIEVAL_DOCUMENT',
  'SEMANTIC_SIMILARITY',
  'CLASSIFICATION',
  'CLUSTERING',
  'QUESTION_ANSWERING',
  'FACT_VERIFICATION',
  'CODE_RETRIEVAL_QUERY',
];
const NOTHING = new Map();

// {text, options} of a request as Vertex AI, the Developer API or the older models have it.
const SHAPES = {
  vertex: (given) => {
    const request = fields(given, ['content', 'embedContentConfig', ...OPTIONS, 'model'], '');
    return {
      text: contentText(request.content),
      options: {
        ...request,
        ...fields(request.embedContentConfig || {}, OPTIONS, 'embed_content_config'),
      },
    };
  },
  developer: (given) => {
    const request = fields(given, ['model', 'content', ...OPTIONS], '');
    return { text: contentText(request.content), options: request };
  },
  legacy: (given) => {
    const { content, ...options } = fields(given, ['content', 'key', ...OPTIONS], '');
    if (typeof content !== 'string' || !content)
      bad('The content of an instance must be a text that is not empty.');
    return { text: content, options };
  },
};

function contentText(given) {
  if (given === undefined) bad('content is not specified');
  const content = fields(given, ['role', 'parts'], 'content');
  if (
    !Array.isArray(content.parts) ||
    !content.parts.length ||
    content.parts.some((p) => !p || typeof p.text !== 'string' || !p.text)
  )
    bad('content.parts: expected parts with texts that are not empty');
  return textOf(content);
}

function dimensionsOf({ outputDimensionality: wanted, taskType: task }, known) {
  if (task !== undefined && !TASKS.includes(task))
    bad(`Invalid value at 'task_type', ${JSON.stringify(task)}`);
  const fine =
    wanted === undefined || (Number.isInteger(wanted) && wanted >= 1 && wanted <= known.dimensions);
  if (!fine)
    bad(
      `Unable to submit request because it has an outputDimensionality of ${wanted} but the ` +
        `supported range is from 1 to ${known.dimensions}.`,
    );
  return wanted || known.dimensions;
}

// {asked, question, and one of values with spent and truncated; error; none}. how: {shape, full: no
// wish for less dimensions is
// heard, dense, defaults: options of the job}
function embed({ request, model: known, attempts, how }) {
  let [asked, question] = [NOTHING, ''];
  try {
    const { text, options } = SHAPES[how.shape](request);
    question = text;
    asked = directives.parse(text);
    const size = dimensionsOf({ ...how.defaults, ...options }, known);
    const instead = insteadOf(attempts, known, text, asked);
    if (instead) return { asked, question, ...instead };
    const plain = directives.strip(text) || text;
    const used = tokens(plain);
    const values = model.embedding(plain, how.full ? known.dimensions : size, how.dense);
    return {
      asked,
      question,
      values,
      truncated: used > known.context,
      spent: { prompt: Math.min(used, known.context), cached: 0, completion: 0 },
    };
  } catch (error) {
    if (error instanceof Bad || asked === NOTHING)
      return { asked, question, error: refusal(error) };
    throw error;
  }
}

module.exports = { embed };
