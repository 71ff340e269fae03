'use strict';
// Settings that tests may change at run time. change() rejects names it does not know.

const { checkWays } = require('./google/vertex/echo');
const { tail } = require('./log');
const { checkQuirks } = require('./openai/quirks');
const tokenizer = require('./tokenizer');

const DEFAULTS = {
  batch_seconds: 0.2, // from creation to the end, spread over the states
  quotas: {}, // model -> enqueued prompt tokens
  tokenizer: null, // o200k or cl100k; null: a quarter of the bytes
  max_file_bytes: 200e6,
  max_lines: 50000,
  error_file_id_empty: false, // "" instead of null where there is no error file
  file_visible_after_ms: 0, // new files are unknown so long
  chunked_content: false, // file content without Content-Length
  dense_embeddings: false, // vectors without zeros: large result files
  run_in_order: false, // the lines of OpenAI's batches, instead of in any order
  cached_prompts: 0, // OpenAI's: a prompt may begin as one of so many before it; 0: no cache
  quirks: {}, // of OpenAI's relatives: openai/quirks.js
  // Azure's
  azure_deployments: {
    'gpt-5.4-mini': { model: 'gpt-5.4-mini', sku: 'GlobalBatch' },
    'pro-batch': { model: 'gpt-5.4-pro', sku: 'GlobalBatch' },
    'mini-batch': { model: 'gpt-5.4-mini', sku: 'GlobalBatch' },
    'zone-batch': { model: 'gpt-4o-mini', sku: 'DataZoneBatch' },
    'small-batch': { model: 'text-embedding-3-small', sku: 'GlobalBatch' },
    'mini-live': { model: 'gpt-5.4-mini', sku: 'GlobalStandard' },
    'pro-live': { model: 'gpt-5.4-pro', sku: 'GlobalStandard' },
    'small-live': { model: 'text-embedding-3-small', sku: 'GlobalStandard' },
  },
  // of Entra ID; project
  azure_clients: { 'sim-client': { tenant: 'sim-tenant', secret: 'sim-secret~1&=' } },
  azure_token_seconds: 3600,
  azure_file_pending_ms: 30, // an upload is pending so long
  azure_max_lines: 100000,
  azure_max_files: 500, // without an expiry
  azure_max_expiring_files: 10000,
  azure_fail_fast: false, // quotas refuse the create
  azure_token_headers: true,
  // Anthropic's
  max_create_bytes: 256e6, // of a create
  max_batch_requests: 100000,
  max_queued_requests: 500000, // in the batches of a workspace that have not ended
  absent_after_create: 0, // so many first GETs of each batch are 404
  absent_after_end: 0, // so many first GETs of each ended batch are 404, and of its results
  results_base: null, // in place of this simulator's own address in results_url
  cache_min_tokens: null, // in place of the models' own
  cache_at_once: 1, // so many requests run at once: none finds what another one of them writes
  cache_clock_ms: 0, // how far the cache's clock is ahead
  // AWS's
  aws_account: '123456789012', // of credentials and buckets that name none
  aws_regions: ['us-east-1', 'us-west-2', 'eu-central-1'],
  aws_credentials: {
    // access key -> secret, token, expires, account, deny: actions
    AKIDEXAMPLE: { secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
    ASIAEXAMPLE: { secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', token: 'TOK/EN==' },
  },
  aws_clock_ms: 0, // how far AWS's clock is ahead of this machine's
  aws_session_seconds: 3600, // of credentials that end
  aws_session_share: 0.5, // containers and instances are given new ones after so much of their life
  aws_sessions_since: '1970-01-01T00:00:00Z', // older ones have been revoked
  aws_web_identity_tokens: {
    'sim.web.identity-token': { roles: ['arn:aws:iam::123456789012:role/BatchCaller'] },
  }, // roles, subject, expires
  aws_containers: {
    // path -> role, token
    '/v2/credentials/sim-task': { role: 'arn:aws:iam::123456789012:role/BatchCaller' },
    '/v1/credentials': {
      role: 'arn:aws:iam::123456789012:role/BatchCaller',
      token: 'sim.pod-token',
    },
  },
  aws_instance_enabled: true,
  aws_instance_role: 'arn:aws:iam::123456789012:role/BatchCaller', // null: it has none
  aws_kms_keys: ['alias/batch'],
  s3_buckets: {
    batch: {},
    'west-batch': { region: 'us-west-2' },
    'foreign-batch': { owner: '999999999999' },
  }, // region, owner, shared, deny, require_sse
  s3_min_part_bytes: 5 * 1024 * 1024,
  s3_unsigned_over_http: false,
  aws_roles: {
    'arn:aws:iam::123456789012:role/BedrockBatch': {},
    'arn:aws:iam::123456789012:role/BatchCaller': {},
  }, // ARN -> pass, trust: false; deny: actions; account
  // {endpoint, region, access_key, secret}: jobs read and write at that S3 instead of the simulated
  // one
  bedrock_storage: null,
  bedrock_api_keys: ['BEDROCK_API_KEY'],
  bedrock_min_records: 100,
  bedrock_max_records: 50000,
  bedrock_max_file_bytes: 1e9,
  bedrock_max_job_bytes: 5e9,
  bedrock_max_jobs: 20, // of a model, not ended
  // Google's
  google_projects: {
    'proj-1': { number: '123456789012' },
    'other-proj': { number: '999999999999' },
  },
  // keys: {ID: PEM}, projects, deny: permissions, disabled
  google_service_accounts: { 'batch@proj-1.iam.gserviceaccount.com': {} },
  // scopes, expires
  google_tokens: { 'ya29.sim': { account: 'batch@proj-1.iam.gserviceaccount.com' } },
  google_users: {
    'sim-client.apps.googleusercontent.com': {
      secret: 'GOCSPX-sim',
      refresh_tokens: { '1//sim-refresh': { email: 'user@example.com' } },
    },
  }, // projects, deny, revoked
  google_workload_pools: {
    // audience -> subject tokens: subject, impersonates, projects, deny, expires
    ['//iam.googleapis.com/projects/123456789012/locations/global/' +
    'workloadIdentityPools/pool/providers/sim']: {
      subject_tokens: {
        'sim-subject-token': {
          subject: 'sim',
          projects: ['proj-1'],
          impersonates: ['batch@proj-1.iam.gserviceaccount.com'],
        },
      },
    },
  },
  // of the machine; null: it has none
  google_metadata_account: 'batch@proj-1.iam.gserviceaccount.com',
  google_token_seconds: 3599,
  google_clock_ms: 0, // how far Google's clock is ahead of this machine's
  google_retry_delay: '1s', // RetryInfo of 429 and 503
  gcs_buckets: {
    batch: {},
    'west-batch': { location: 'US-WEST1' },
    'foreign-batch': { project: 'other-proj' },
  }, // location, project, deny
  gcs_session_seconds: 7 * 86400, // of a resumable upload
  vertex_locations: [
    'us-central1',
    'us-east1',
    'us-west1',
    'europe-west1',
    'europe-west4',
    'global',
    'us',
    'eu',
  ],
  vertex_list_lag_ms: 0, // new jobs are not listed so long
  vertex_order: 'shuffled', // of results, or 'input'
  vertex_shards: 1, // files of results
  vertex_incremental: false, // a file of everything again, incremental_predictions_0001.jsonl
  vertex_echo: ['reordered'], // how requests come back: google/vertex/echo.js
  vertex_full_dimensions: false, // Gemini embeddings have all dimensions, whatever was asked for
  vertex_cancel_too_late: false, // cancelled jobs go on to their end
  vertex_max_requests: 1e6, // beside the models' own limits
  vertex_max_file_bytes: 1e9,
  vertex_max_claude_jobs: 4, // of a project, not ended
  gemini_order: 'shuffled', // of results, or 'input'
  gemini_output_late: 0, // so many first GETs of a batch that succeeded do not tell of its output
  gemini_file_processing_ms: 0, // uploads are not active so long
  gemini_max_file_bytes: 2e9,
  gemini_max_batches: 100, // of a project, not ended
};

class Config {
  // keys: "key" or "key:project"; files and batches are seen by the keys of their project.
  constructor({ keys, batchSeconds }) {
    this.start = { ...DEFAULTS, api_keys: keys };
    if (batchSeconds !== undefined) this.start.batch_seconds = batchSeconds;
    this.reset();
  }

  reset() {
    this.change(this.start);
  }

  change(settings) {
    const bad = Object.keys(settings).find((name) => !(name in this.start));
    if (bad !== undefined) throw new Error(`unknown setting "${bad}"`);
    checkQuirks(settings.quirks || {});
    checkWays(settings.vertex_echo || []);
    if ('tokenizer' in settings) tokenizer.choose(settings.tokenizer);
    const { api_keys: keys, ...rest } = settings;
    Object.assign(this, rest);
    if (keys)
      this.keys = new Map(keys.map((key) => [key.split(':')[0], key.split(':')[1] || 'default']));
    return this.shown();
  }

  shown() {
    const { start, keys, ...rest } = this;
    return { ...rest, api_keys: [...keys.keys()].map(tail) };
  }
}

module.exports = { Config };
