// Drives the simulator's synchronous calls, those of batch_preview, with the providers' official
// clients: what a client reads of an answer, its counts of tokens, and which error it makes of a
// refusal. Prints TAP.

import { startSim, Tap } from '../sim/harness.mjs';

for (const name of Object.keys(process.env))
  if (/^(AWS|GOOGLE|GEMINI|ANTHROPIC|OPENAI|AZURE)_/.test(name)) delete process.env[name];
Object.assign(process.env, {
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_DISABLED: 'true',
});
const OpenAI = await import('openai');
const Anthropic = (await import('@anthropic-ai/sdk')).default;
const { GoogleGenAI } = await import('@google/genai');
const Runtime = await import('@aws-sdk/client-bedrock-runtime');
const { NodeHttpHandler } = await import('@smithy/node-http-handler');
const { createRequire } = await import('node:module');

const tap = new Tap();
const sim = await startSim(['--api-key', 'key']);
const BASE = `http://127.0.0.1:${sim.port}`;
const SAYS = 'What is it? [[sim:say=blue]]';
const messages = [{ role: 'user', content: SAYS }];
const positive = (...counts) => counts.every((count) => Number.isInteger(count) && count > 0);

async function throws(promise, is, name) {
  const error = await promise.then(
    () => null,
    (e) => e,
  );
  tap.ok(error && is(error), name, String(error));
}

async function testOpenAI(name, client, model, embeds) {
  const { data: chat, response } = await client.chat.completions
    .create({ model, messages })
    .withResponse();
  tap.is(chat.choices[0].message.content, 'blue', `${name}: chat`);
  tap.ok(positive(chat.usage.prompt_tokens, chat.usage.completion_tokens), `${name}: its tokens`);
  tap.ok(
    positive(+response.headers.get('x-ratelimit-remaining-requests')),
    `${name}: what is left of the limits`,
  );
  const vectors = await client.embeddings.create({ model: embeds, input: ['a', 'b'] });
  tap.is(
    vectors.data.map(({ index, embedding }) => [index, embedding.length > 2]),
    [
      [0, true],
      [1, true],
    ],
    `${name}: embeddings, which the client asks for in base64`,
  );
  await throws(
    client.chat.completions.create({ model: 'no-such-model', messages }),
    (error) => error instanceof OpenAI.NotFoundError,
    `${name}: a model that is not there`,
  );
}

async function testResponses(client) {
  const answer = await client.responses.create({ model: 'gpt-5.4-mini', input: SAYS });
  tap.is([answer.status, answer.output_text], ['completed', 'blue'], 'OpenAI: responses');
  tap.ok(positive(answer.usage.input_tokens, answer.usage.output_tokens), 'OpenAI: their tokens');
  await throws(
    new OpenAI.default({ apiKey: 'none', maxRetries: 0, baseURL: `${BASE}/v1` }).responses.create({
      model: 'gpt-5.4-mini',
      input: SAYS,
    }),
    (error) => error instanceof OpenAI.AuthenticationError,
    'OpenAI: a wrong key',
  );
}

async function testAnthropic() {
  const client = new Anthropic({ apiKey: 'key', maxRetries: 0, baseURL: BASE, logLevel: 'off' });
  const ask = { model: 'claude-haiku-5-5', max_tokens: 50, messages };
  const answer = await client.messages.create(ask);
  tap.is(
    [answer.content[0].text, answer.stop_reason],
    ['blue', 'end_turn'],
    'Anthropic: a message',
  );
  tap.ok(positive(answer.usage.input_tokens, answer.usage.output_tokens), 'Anthropic: its tokens');
  await throws(
    client.messages.create({ ...ask, max_tokens: -1 }),
    (error) => error instanceof Anthropic.BadRequestError,
    'Anthropic: bad parameters',
  );
  await throws(
    client.messages.create({ ...ask, model: 'claude-none' }),
    (error) => error instanceof Anthropic.NotFoundError,
    'Anthropic: a model that is not there',
  );
}

async function testGoogle(name, client, model, embeds) {
  const answer = await client.models.generateContent({ model, contents: SAYS });
  tap.is(answer.text, 'blue', `${name}: generateContent`);
  const { promptTokenCount, candidatesTokenCount } = answer.usageMetadata;
  tap.ok(positive(promptTokenCount, candidatesTokenCount), `${name}: its tokens`);
  // of the Gemini API the client calls batchEmbedContents, which batchinf does not
  if (embeds) {
    const { embeddings } = await client.models.embedContent({ model: embeds, contents: 'a' });
    tap.ok(embeddings.length === 1 && embeddings[0].values.length > 2, `${name}: an embedding`);
  }
  await throws(
    client.models.generateContent({ model: 'gemini-none', contents: SAYS }),
    (error) => error.status === 404,
    `${name}: a model that is not there`,
  );
}

// The client of google-auth-library that @google/genai has for itself, with a token at hand.
function googleAuth() {
  const require = createRequire(createRequire(import.meta.url).resolve('@google/genai'));
  const client = new (require('google-auth-library').OAuth2Client)();
  client.setCredentials({ access_token: 'ya29.sim', expiry_date: Date.now() + 3600e3 });
  return client;
}

async function testBedrock() {
  const client = new Runtime.BedrockRuntimeClient({
    region: 'us-east-1',
    endpoint: BASE,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler(), // its own one speaks HTTP/2 only
    credentials: {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    },
  });
  const converse = (modelId) =>
    client.send(
      new Runtime.ConverseCommand({
        modelId,
        messages: [{ role: 'user', content: [{ text: SAYS }] }],
        inferenceConfig: { maxTokens: 50 },
      }),
    );
  const answer = await converse('us.amazon.nova-lite-v1:0');
  tap.is(
    [answer.output.message.content[0].text, answer.stopReason],
    ['blue', 'end_turn'],
    'Bedrock: Converse',
  );
  tap.ok(positive(answer.usage.inputTokens, answer.usage.outputTokens), 'Bedrock: its tokens');
  const invoked = await client.send(
    new Runtime.InvokeModelCommand({
      modelId: 'amazon.titan-embed-text-v2:0',
      contentType: 'application/json',
      body: JSON.stringify({ inputText: 'a' }),
    }),
  );
  const body = JSON.parse(new TextDecoder().decode(invoked.body));
  tap.ok(body.embedding.length > 2 && positive(body.inputTextTokenCount), 'Bedrock: InvokeModel');
  await throws(
    converse('amazon.none-v1:0'),
    (error) => error instanceof Runtime.ValidationException,
    'Bedrock: a model that is not there',
  );
}

const openai = new OpenAI.default({ apiKey: 'key', maxRetries: 0, baseURL: `${BASE}/v1` });
const azure = new OpenAI.AzureOpenAI({
  endpoint: BASE,
  apiKey: 'key',
  apiVersion: '2024-10-21',
  maxRetries: 0,
});
const gemini = new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: BASE } });
const vertex = new GoogleGenAI({
  vertexai: true,
  project: 'proj-1',
  location: 'us-central1',
  googleAuthOptions: { authClient: googleAuth() },
  httpOptions: { baseUrl: BASE },
});
try {
  await testOpenAI('OpenAI', openai, 'gpt-5.4-mini', 'text-embedding-3-small');
  await testResponses(openai);
  await testOpenAI('Azure', azure, 'mini-live', 'small-live');
  await testAnthropic();
  await testGoogle('Gemini', gemini, 'gemini-3.5-flash-lite');
  await testGoogle('Vertex', vertex, 'gemini-2.5-flash-lite', 'gemini-embedding-001');
  await testBedrock();
} finally {
  await sim.stop();
}
process.exit(tap.done());
