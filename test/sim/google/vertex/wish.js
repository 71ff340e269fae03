'use strict';
// What a create of a batch prediction job asks for: its shapes and what they name.

const { invalid, refuse, violation } = require('../errors');
const { labelViolation } = require('../labels');
const { findPublished } = require('../models/list');
const { isObject, onlyKeys, readBody } = require('../params');
const { uriOf } = require('./input');

const KEYS = [
  'displayName',
  'model',
  'inputConfig',
  'outputConfig',
  'modelParameters',
  'labels',
  'instanceConfig',
  'encryptionSpec',
  'serviceAccount',
  'manualBatchTuningParameters',
  'dedicatedResources',
  'generateExplanation',
  'explanationSpec',
  'disableContainerLogging',
  'unmanagedContainerModel',
  'modelVersionId',
];
const OUTPUT_ONLY = [
  'name',
  'state',
  'createTime',
  'startTime',
  'endTime',
  'updateTime',
  'error',
  'partialFailures',
  'completionStats',
  'outputInfo',
  'resourcesConsumed',
];
const MODEL =
  /^(?:projects\/[^/]+\/locations\/[^/]+\/)?publishers\/([a-z0-9-]+)\/models\/([a-zA-Z0-9@._-]+)$/;
const TUNED = /^projects\/[^/]+\/locations\/[^/]+\/models\/[^/]+$/;

const wrong = (name, text) => invalid(text, [violation(`batch_prediction_job.${name}`, text)]);
const part = (asked, key, name, known) =>
  onlyKeys(
    asked[key] || wrong(name, 'Required field is not set.'),
    known,
    `batch_prediction_job.${name}`,
  );

// {asked, model} of the body of a create.
async function readWish(ctx) {
  const asked = await readBody(ctx, [...KEYS, ...OUTPUT_ONLY]);
  for (const key of OUTPUT_ONLY) delete asked[key];
  return { asked, model: judge(asked, ctx.params.location) };
}

// The shapes first, then what they name. Returns the model.
function judge(asked, location) {
  const { displayName: name, labels, instanceConfig } = asked;
  if (typeof name !== 'string' || !name) wrong('display_name', 'Required field is not set.');
  if ([...name].length > 128) wrong('display_name', 'display_name must be at most 128 characters.');
  const broken = labels === undefined ? null : labelViolation(labels);
  if (broken) wrong('labels', broken);
  checkInput(asked);
  checkOutput(asked);
  if (instanceConfig !== undefined)
    wrong('instance_config', 'instance_config is not supported for publisher models.');
  return modelOf(asked.model, location);
}

function checkInput(asked) {
  const config = part(asked, 'inputConfig', 'input_config', [
    'instancesFormat',
    'gcsSource',
    'bigquerySource',
    'vertexMultimodalDatasetSource',
  ]);
  asked.inputConfig = config;
  if (config.bigquerySource || config.instancesFormat === 'bigquery')
    refuse(501, 'This simulator has no BigQuery.');
  if (config.instancesFormat !== 'jsonl')
    wrong(
      'input_config.instances_format',
      `Unsupported instances_format: ${config.instancesFormat}.`,
    );
  const { uris } = isObject(config.gcsSource) ? config.gcsSource : {};
  if (!Array.isArray(uris) || uris.length !== 1)
    wrong('input_config.gcs_source.uris', 'Exactly one URI is expected.');
  const place = uriOf(uris[0]);
  if (!place || !place.name || place.name.split('*').length > 2)
    wrong('input_config.gcs_source.uris', `Invalid Cloud Storage URI: ${uris[0]}`);
}

function checkOutput(asked) {
  const config = part(asked, 'outputConfig', 'output_config', [
    'predictionsFormat',
    'gcsDestination',
    'bigqueryDestination',
    'vertexMultimodalDatasetDestination',
  ]);
  asked.outputConfig = config;
  if (config.bigqueryDestination || config.predictionsFormat === 'bigquery')
    refuse(501, 'This simulator has no BigQuery.');
  if (config.predictionsFormat !== 'jsonl')
    wrong(
      'output_config.predictions_format',
      `Unsupported predictions_format: ${config.predictionsFormat}.`,
    );
  const prefix = isObject(config.gcsDestination)
    ? config.gcsDestination.outputUriPrefix
    : undefined;
  const whole = typeof prefix === 'string' && (prefix.includes('/', 5) ? prefix : `${prefix}/`);
  if (!uriOf(whole))
    wrong(
      'output_config.gcs_destination.output_uri_prefix',
      `Invalid Cloud Storage URI: ${prefix}`,
    );
}

function modelOf(name, location) {
  if (typeof name !== 'string' || !name)
    wrong('model', 'Exactly one of model, unmanaged_container_model, or endpoint must be set.');
  if (TUNED.test(name)) refuse(404, `The Model does not exist: ${name}`);
  const found = MODEL.exec(name);
  if (!found) wrong('model', `Invalid resource name: ${name}`);
  const model = findPublished(found[1], found[2]);
  const here = model && (!model.locations || model.locations.includes(location));
  if (!here)
    refuse(
      404,
      `Publisher Model \`${name}\` was not found or your project does not have access to it. ` +
        'Please ensure you are using a valid model version.',
    );
  return model;
}

module.exports = { readWish };
