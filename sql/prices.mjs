// sql/prices.mjs: prints sql/prices.sql, the prices that batchinf ships (make prices).
//
// The npm package @pydantic/genai-prices, pinned in test/client, has prices of real time only. It
// has rules that match names of models; here a name is listed or it has no price, for the nearest
// name is another model. Its prices of batch and flex come from factors below, each with its
// source. Prices are decimal texts and integers of 10^-12 dollars here, never floats: 0.93 is not a
// binary number.
//
// What cannot be read as it is meant stops the script: an unknown kind of constraint, another
// version of the package, a price that ends.
import fs from 'node:fs';

const VERSION = '0.1.8';
const DATE = '2026-09-23'; // of that version, as npm says
const SOURCE = `@pydantic/genai-prices ${VERSION}`;
const PACKAGE = new URL('../test/client/node_modules/@pydantic/genai-prices/', import.meta.url);
const KINDS = {
  input: 'input_mtok',
  cached_input: 'cache_read_mtok',
  cache_write: 'cache_write_mtok',
  cache_write_1h: 'cache_write_1h_mtok',
  output: 'output_mtok',
};
const NAMES = Object.keys(KINDS);

// ---- the package ----

function readPackage() {
  const version = JSON.parse(fs.readFileSync(new URL('package.json', PACKAGE), 'utf8')).version;
  if (version !== VERSION) throw new Error(`the package has version ${version}, not ${VERSION}`);
  // it exports functions only; its data is the first literal of the file
  const code = fs.readFileSync(new URL('dist/index.js', PACKAGE), 'utf8');
  const literal = /^const \w+ = (\[\n[\s\S]*?\n\])/.exec(code);
  if (literal === null) throw new Error('the package keeps its data elsewhere');
  return new Map(new Function(`return ${literal[1]}`)().map((provider) => [provider.id, provider]));
}

// ---- decimal numbers ----

function toUnits(number) {
  const [, whole, part = ''] = /^(\d+)(?:\.(\d{1,12}))?$/.exec(String(number));
  return BigInt(whole + part.padEnd(12, '0'));
}

function toText(units) {
  const digits = String(units).padStart(13, '0');
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, '');
}

const half = (units) => {
  if (units % 2n !== 0n) throw new Error(`${units} has no half`);
  return units / 2n;
};

// ---- prices of real time ----

const starts = (value) => (typeof value === 'object' ? value.tiers.map((tier) => tier.start) : []);

// The price of a kind for prompts of more tokens than that.
function priceAbove(value, above) {
  if (typeof value !== 'object') return value;
  const tiers = value.tiers.filter((tier) => tier.start <= above);
  return tiers.length === 0 ? value.base : tiers[tiers.length - 1].price;
}

function dateOf(constraint) {
  if (constraint === undefined) return '-infinity';
  if (constraint.type !== 'start_date') throw new Error(`unknown constraint ${constraint.type}`);
  return `${constraint.start_date} 00:00 UTC`;
}

// The rows of a model: since when, above how many tokens, and the price of each kind. A period
// without a tier that another one has gets its rows, so that no tier outlives its period. A model
// without a price of input has none at all: an empty list of prices does not mean free of charge.
function rowsOf(model) {
  const periods = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const all = periods.flatMap((period) =>
    NAMES.flatMap((kind) => starts(period.prices[KINDS[kind]])),
  );
  const tiers = [0, ...new Set(all)].sort((a, b) => a - b);
  const rows = periods.flatMap(({ constraint, prices }) =>
    tiers.map((above) => {
      const row = { since: dateOf(constraint), above };
      for (const kind of NAMES) {
        const value = priceAbove(prices[KINDS[kind]], above);
        if (value !== undefined) row[kind] = toUnits(value);
      }
      return row;
    }),
  );
  for (const kind of NAMES) {
    const having = rows.filter((row) => row[kind] !== undefined).length;
    if (having !== 0 && having !== rows.length) throw new Error(`${model.id}: ${kind} ends`);
  }
  return rows[0].input > 0n ? rows : [];
}

// ---- names ----

const date = /[-@]20\d\d(-?)(0[1-9]|1[0-2])\1(0[1-9]|[12]\d|3[01])$/;

// Whether a rule of the package means that name.
function matches(rule, name) {
  const [[how, what]] = Object.entries(rule);
  if (how === 'or') return what.some((one) => matches(one, name));
  if (how === 'and') return what.every((one) => matches(one, name));
  if (how === 'regex') return new RegExp(what).test(name);
  if (how === 'equals') return name === what;
  if (how === 'contains') return name.includes(what);
  if (how === 'starts_with') return name.startsWith(what);
  if (how === 'ends_with') return name.endsWith(what);
  throw new Error(`unknown rule ${how}`);
}

// The names that a rule gives in full.
function listed(rule) {
  if (rule.or || rule.and) return (rule.or ?? rule.and).flatMap(listed);
  return rule.equals === undefined ? [] : [rule.equals];
}

// Names of a model at its own vendor, without those that differ by their date only: the extension
// finds them without it.
function namesOf(model) {
  const names = new Set([model.id, ...listed(model.match)]);
  if (model.id.startsWith('claude-')) names.add(model.id.replace(/-latest$/, ''));
  return [...names].filter(
    (name) => !skipText.test(name) && !(date.test(name) && names.has(name.replace(date, ''))),
  );
}

// At Bedrock a model has an id, and one for each group of regions. The package calls those with a
// higher price "regional", and lists their groups; others cost the same in the regions of the USA,
// and elsewhere something else. Government regions are others.
function bedrockNames(model) {
  const regional = /^regional\.(.*)/.exec(model.id);
  if (regional === null) {
    return model.id.startsWith('global.') ? spellings(model.id) : usNames(model.id);
  }
  const groups = [...JSON.stringify(model.match).matchAll(/"(us|eu|au|jp|apac|in)\.\w+\./g)];
  if (groups.length === 0) return usNames(regional[1]);
  return [...new Set(groups.map((group) => `${group[1]}.${regional[1]}`))].flatMap(spellings);
}
const inGroups =
  /^(amazon\.nova|anthropic|meta\.llama(3-[123]|4)|deepseek\.r1|mistral\.pixtral|writer)/;
const usNames = (id) => (inGroups.test(id) ? [id, `us.${id}`] : [id]);

// Ids of Claude without a date end with -v1:0, -v1 or neither, and the package has one of them.
function spellings(id) {
  const name = /^(.*\.anthropic\.claude-(?!.*-\d{8}-).*?)(-v1:0)?$/.exec(id)?.[1];
  return name === undefined ? [id] : [`${name}-v1:0`, `${name}-v1`, name];
}

// ---- what is left out ----

// Other things than text are priced by other counts; fine-tuned models have names of their own.
const notText = new RegExp(
  'audio|realtime|transcribe|tts|image|whisper|sonic|voxtral|live|omni|search|computer-use|' +
    'moderation|deep-research|vision|^ft:|\\.ft-|-high$|[:/]|^gemma|^gpt-oss',
);
const old = new RegExp(
  '^(ada|babbage|curie|davinci|text-davinci|gpt-3\\.5-0|codex-mini|claude-(2|v1)|' +
    'gemini-(1|pro|flash))',
);
// The package says so of prices that it has from elsewhere.
const unsure = /OpenRouter|trusting/;

const models = (provider, skip) =>
  provider.models.filter(
    (model) =>
      !model.deprecated && !unsure.test(model.price_comments ?? '') && !skip.test(model.id),
  );

const skipText = new RegExp(`${notText.source}|${old.source}`);

// ---- models that the package does not have, or has wrong ----

const model = (id, prices) => ({ id, match: { equals: id }, prices });
const tiered = (start, base, price) => ({ base, tiers: [{ start, price }] });
const OTHERS = {
  openai: {
    source: 'OpenAI release notes of 2026-09-30',
    models: [
      model('gpt-6.1-sol', {
        input_mtok: tiered(272000, 2, 4),
        cache_read_mtok: tiered(272000, 0.1, 0.2),
        cache_write_mtok: tiered(272000, 2.5, 5),
        output_mtok: tiered(272000, 10, 15),
      }),
    ],
  },
  anthropic: {
    source: 'Anthropic price list of 2026-11',
    models: [
      model('claude-haiku-5-5', {
        input_mtok: tiered(100000, 0.1, 0.5),
        cache_read_mtok: tiered(100000, 0.01, 0.05),
        cache_write_mtok: tiered(100000, 0.125, 0.625),
        cache_write_1h_mtok: tiered(100000, 0.2, 1),
        output_mtok: tiered(100000, 0.5, 2.5),
      }),
      // not the price of claude-sonnet-5: what is read from a cache costs half of it
      model('claude-sonnet-5-5', {
        input_mtok: 2,
        cache_read_mtok: 0.1,
        cache_write_mtok: 2.5,
        cache_write_1h_mtok: 4,
        output_mtok: 10,
      }),
    ],
  },
  bedrock: {
    source: 'AWS price list of 2026-11',
    // the package takes the price of titan-embed-text-v1 for it, which is five times as high
    models: [model('amazon.titan-embed-text-v2:0', { input_mtok: 0.02 })],
  },
};

// ---- batch and flex ----

// A factor is 1 (the price of real time), 2 (half of it), or absent: no price of its own. Without a
// price for what is read from a cache it costs as much as other input; without one for what is
// written to a cache it has no price.
const halfOfAll = { input: 2, cached_input: 2, cache_write: 2, cache_write_1h: 2, output: 2 };
const halfButCache = { input: 2, cached_input: 1, cache_write: 1, cache_write_1h: 1, output: 2 };
const halfOfText = { input: 2, output: 2 };

function scale(row, factors, more = {}) {
  const scaled = { since: row.since, above: row.above };
  for (const kind of NAMES) {
    if (more[kind] !== undefined) scaled[kind] = toUnits(more[kind]);
    else if (row[kind] !== undefined && factors[kind] !== undefined) {
      scaled[kind] = factors[kind] === 2 ? half(row[kind]) : row[kind];
    }
  }
  return scaled;
}

// openai: older models have no discount for what is read from a cache in a batch
const cachesInBatch = /^gpt-([5-9])/;
const openaiFlex = /^(gpt-[56](?!.*-pro)|o3$|o4-mini$)/;
const bedrockBatch = new RegExp(
  'amazon\\.nova-(micro|lite|pro|premier|2-lite)-v|titan-embed-text-v2|' +
    'anthropic\\.claude|llama3-3-70b',
);
// what is read from a cache costs less in a batch of this model
const geminiBatch = { 'gemini-3.5-flash-lite': { cached_input: 0.02 } };

const MODES = {
  openai: {
    batch: [(name) => (cachesInBatch.test(name) ? halfOfAll : halfOfText), 'OpenAI guide Batch'],
    flex: [(name) => openaiFlex.test(name) && halfOfAll, 'OpenAI guide Flex processing'],
  },
  azure_openai: {
    batch: [(name) => (cachesInBatch.test(name) ? halfOfAll : halfOfText), 'Azure Global Batch'],
    flex: [(name) => name === 'gpt-5.6-sol' && halfOfAll, 'Azure flex processing, 2026-09'],
  },
  anthropic: { batch: [() => halfOfAll, 'Anthropic docs, Batch processing'] },
  bedrock: { batch: [(name) => bedrockBatch.test(name) && halfOfText, 'AWS Bedrock pricing'] },
  vertex: {
    batch: [() => halfButCache, 'Vertex AI docs, Batch: cache prices are not halved'],
    flex: [(name) => /^gemini-(?!embed)/.test(name) && halfButCache, 'Vertex AI docs, Flex PayGo'],
  },
  gemini: {
    batch: [() => halfButCache, 'Gemini API docs, Batch: cache prices are not halved'],
    flex: [(name) => /^gemini-(?!embed)/.test(name) && halfButCache, 'Gemini API docs, Flex'],
  },
};

// ---- what each provider of ours has ----

// Where Claude's prices leave out what is written for an hour, it costs twice the input (Anthropic
// docs, Prompt caching). Nova takes the price of input for what is written (AWS docs).
function complete(name, rows) {
  for (const row of rows) {
    if (name.includes('claude') && row.cache_write !== undefined)
      row.cache_write_1h ??= 2n * row.input;
    if (name.includes('amazon.nova-') && row.cached_input !== undefined)
      row.cache_write ??= row.input;
  }
  return rows;
}

// Maps each name to its rows, source and place.  A name that comes again replaces the first.
function addAll(list, models, names, source, place = () => null) {
  for (const one of models) {
    for (const name of names(one).filter((each) => matches(one.match, each))) {
      const rows = complete(name, rowsOf(one));
      if (rows.length > 0) list.set(name, { rows, source, place: place(name) });
    }
  }
  return list;
}

function collect(data) {
  const text = (id) => models(data.get(id), skipText);
  const others = (list, provider, names, place) =>
    addAll(list, OTHERS[provider].models, names, OTHERS[provider].source, place);
  const openai = () =>
    others(addAll(new Map(), text('openai'), namesOf, SOURCE), 'openai', namesOf);
  const google = text('google').filter((one) => !one.id.startsWith('claude'));
  const claude = [...text('anthropic'), ...text('google')].filter((one) =>
    one.id.startsWith('claude'),
  );
  // the prices of ids without a group of regions are those of the USA
  const inUsa = (name) => (/^(global|us|eu|au|jp|apac|in)\./.test(name) ? null : 'us');
  const aws = models(data.get('aws'), /sonic|voxtral|gpt-5/);
  return {
    openai: openai(),
    azure_openai: addAll(
      openai(),
      text('azure').filter((one) => /^(o\d|text-)/.test(one.id)),
      namesOf,
      SOURCE,
    ),
    anthropic: others(addAll(new Map(), text('anthropic'), namesOf, SOURCE), 'anthropic', namesOf),
    bedrock: others(
      addAll(new Map(), aws, bedrockNames, SOURCE, inUsa),
      'bedrock',
      (one) => usNames(one.id),
      inUsa,
    ),
    // elsewhere Claude costs a tenth more
    vertex: addAll(
      addAll(new Map(), google, namesOf, SOURCE),
      claude,
      namesOf,
      SOURCE,
      () => 'global',
    ),
    gemini: addAll(new Map(), google, namesOf, SOURCE),
  };
}

// ---- SQL ----

const quote = (text) => `'${text.replaceAll("'", "''")}'`;

function lineOf(name, row) {
  const prices = NAMES.map((kind) => (row[kind] === undefined ? 'NULL' : toText(row[kind])));
  const line = `    (${[quote(name), quote(row.since), row.above, ...prices].join(', ')})`;
  return line.length < 100 ? line : line.replace(', ', ',\n        ');
}

function statement(provider, mode, place, source, lines) {
  return `INSERT INTO batchinf.price_list
    (provider, mode, place, source, model, valid_from, above_tokens, kind, per_million)
SELECT ${quote(provider)}, ${quote(mode)}, ${place === null ? 'NULL' : quote(place)},
       ${quote(source)},
       l.model, l.since::timestamptz, l.above, k.kind, k.per_million
FROM (VALUES
${lines.join(',\n')}
    ) l(model, since, above, input, cached_input, cache_write, cache_write_1h, output)
CROSS JOIN LATERAL (VALUES ('input', l.input::numeric), ('cached_input', l.cached_input::numeric),
    ('cache_write', l.cache_write::numeric), ('cache_write_1h', l.cache_write_1h::numeric),
    ('output', l.output::numeric)) k(kind, per_million)
WHERE k.per_million IS NOT NULL;
`;
}

// The statements of one mode, one for each place and source.
function statements(provider, mode, list, rowsIn, sourceOf) {
  const groups = new Map();
  for (const [name, entry] of list) {
    for (const row of rowsIn(name, entry)) {
      const key = JSON.stringify([entry.place, sourceOf(entry)]);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(lineOf(name, row));
    }
  }
  return [...groups].map(([key, lines]) =>
    statement(provider, mode, ...JSON.parse(key), lines.sort()),
  );
}

function scaled(name, rows, factorsOf, provider) {
  const factors = factorsOf(name);
  const more = provider === 'gemini' ? geminiBatch[name] : undefined;
  return factors ? rows.map((row) => scale(row, factors, more)) : [];
}

function all(lists) {
  return Object.entries(lists).flatMap(([provider, list]) => [
    ...statements(
      provider,
      'realtime',
      list,
      (name, { rows }) => rows,
      ({ source }) => source,
    ),
    ...Object.entries(MODES[provider]).flatMap(([mode, [factorsOf, docs]]) =>
      statements(
        provider,
        mode,
        list,
        (name, { rows }) => scaled(name, rows, factorsOf, mode === 'batch' ? provider : ''),
        ({ source }) => `${source}; ${docs}`,
      ),
    ),
  ]);
}

const licence = fs.readFileSync(new URL('LICENSE', PACKAGE), 'utf8').trim().split('\n');
process.stdout.write(`-- batchinf: the prices that it ships, in US dollars for a million tokens.
-- Made by sql/prices.mjs (make prices): do not edit.  From npm
-- ${SOURCE} of ${DATE}.
-- A part of the scripts that create and update the extension.  Prices of one's own are in
-- batchinf.price, and stay.
--
-- The data of ${SOURCE} has this licence:
--
${licence.map((line) => `-- ${line}`.trimEnd()).join('\n')}

DELETE FROM batchinf.price_list;

${all(collect(readPackage())).join('\n')}`);
