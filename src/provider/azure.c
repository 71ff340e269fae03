/*
 * provider/azure.c: Azure OpenAI: OpenAI's batch API with two addresses, keys or Entra ID's
 * tokens, and files that must expire late.
 *
 * Knows what is otherwise than at OpenAI; all else is openai*.c's.  base_url ends with /v1:
 * the v1 surface.  Else it is the resource's endpoint: with api_version the classic
 * surface, without the v1 surface under /openai/v1.  A model is a deployment's name.
 */
#include "postgres.h"

#include "provider/azure.h"
#include "provider/embedding.h"
#include "provider/openai.h"
#include "provider/wire.h"

#define DAY (24 * 60 * 60)
#define LIFE_MIN (14 * DAY)
#define LIFE_MAX (30 * DAY)
#define AUTHORITY "https://login.microsoftonline.com"
#define SCOPE "https://cognitiveservices.azure.com/.default"

/* Addresses. */

static bool
ends_with(const char *text, const char *end)
{
	size_t		len = strlen(text);
	size_t		tail = strlen(end);

	return len >= tail && strcmp(text + len - tail, end) == 0;
}

static bool
is_classic(const BiServer *server)
{
	return server->api_version && !ends_with(bi_wire_base_url(server, ""), "/v1");
}

static char *
url_of(const BiServer *server, const char *path, const char *query)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfoString(&url, bi_wire_base_url(server, ""));
	if (!ends_with(url.data, "/v1"))
	{
		if (!ends_with(url.data, "/openai"))
			appendStringInfoString(&url, "/openai");
		if (!is_classic(server))
			appendStringInfoString(&url, "/v1");
	}
	appendStringInfoString(&url, path);
	if (server->api_version)
	{
		appendStringInfoString(&url, "?api-version=");
		bi_wire_append_escaped(&url, server->api_version);
	}
	if (query)
		appendStringInfo(&url, "%c%s", server->api_version ? '&' : '?', query);
	return url.data;
}

/*
 * The classic surface's documents name it without /v1, the other's with.  A batch of responses is
 * created as one of chat completions: Azure documents no other name and looks into the file.
 */
static const char *
endpoint_of(const BiServer *server, const BiSpec *spec)
{
	const char *path = bi_openai_endpoint_is_responses(spec) ? BI_OPENAI_CHAT : bi_openai_endpoint_path(spec);

	return path + (is_classic(server) ? strlen("/v1") : 0);
}

/* Older versions of the classic surface do not know it. */
static bool
outputs_expire(const BiServer *server)
{
	return server->expires_after > 0 || !is_classic(server);
}

static const BiOpenaiDialect dialect = {
	.url = url_of,
	.endpoint = endpoint_of,
	.outputs_expire = outputs_expire,
	.expires_anchor = "expires_after.anchor",
	.expires_seconds = "expires_after.seconds",
	.file_life = LIFE_MIN,
	.file_life_min = LIFE_MIN,
	.file_type = "application/octet-stream",
};

/* Who we are: a key, or a token of Entra ID for a client's secret. */

static bool
has_client(const BiServer *server)
{
	return server->key.tenant_id && server->key.client_id;
}

static bool
login(const BiCall *call, const char *secret, BiExchange *ex)
{
	const BiServer *server = call->server;
	StringInfoData url;

	if (!has_client(server))
		return false;
	initStringInfo(&url);
	appendStringInfo(&url, "%s/", bi_wire_trimmed(server->authority_url ? server->authority_url : AUTHORITY));
	bi_wire_append_escaped(&url, server->key.tenant_id);
	appendStringInfoString(&url, "/oauth2/v2.0/token");
	bi_exchange_request(ex, "POST", url.data);
	bi_exchange_add_header(ex, "Accept", "application/json");
	bi_exchange_add_header(ex, "Content-Type", "application/x-www-form-urlencoded");
	ex->has_body = true;
	/* once and for all: what a growing text leaves behind would not be wiped */
	enlargeStringInfo(&ex->head, (int) (3 * (strlen(secret) + strlen(server->key.client_id)) + 1024));
	bi_wire_append_field(&ex->head, "client_id", server->key.client_id);
	bi_wire_append_field(&ex->head, "scope", server->token_scope ? server->token_scope : SCOPE);
	bi_wire_append_field(&ex->head, "client_secret", secret);
	bi_wire_append_field(&ex->head, "grant_type", "client_credentials");
	return true;
}

/* A login has no effect that could be lost: a person must act, or it is tried again later. */
static BiVerdict
refused_login(const BiExchange *ex, BiVerdict verdict)
{
	BiJson	   *json = ex->transport == BI_TRANSPORT_REPLIED ? bi_json_parse(ex->body.data, ex->body.len) : NULL;
	char	   *code = bi_wire_json_words(bi_json_at(json, "error", NULL), BI_WIRE_CODE);
	char	   *message = bi_wire_json_words(bi_json_at(json, "error_description", NULL), BI_WIRE_MESSAGE);
	bool		final = verdict.kind == BI_REFUSED || verdict.kind == BI_ABSENT || verdict.kind == BI_DENIED;

	verdict.kind = final ? BI_DENIED : BI_DEFER;
	if (code && message && ex->status >= 400)
	{
		verdict.code = code;
		verdict.message = message;
	}
	return verdict;
}

static BiVerdict
read_login(const BiCall *call, const char *secret, const BiExchange *ex, char **token, int *lifetime)
{
	BiVerdict	verdict = bi_openai_reply_verdict(ex);
	BiJson	   *json;

	*token = NULL;
	*lifetime = 0;
	if (verdict.kind != BI_OK)
		return refused_login(ex, verdict);
	json = bi_json_parse(ex->body.data, ex->body.len);
	*token = bi_json_cstring(bi_json_at(json, "access_token", NULL));
	*lifetime = (int) Min(Max(bi_json_int(bi_json_at(json, "expires_in", NULL), 0), 0), DAY);
	if (*token && bi_secret_fits(*token, strlen(*token)))
		return verdict;
	*token = NULL;
	verdict = bi_openai_reply_unexpected(ex, "a token");
	verdict.kind = BI_DEFER;
	return verdict;
}

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	if (has_client(call->server))
		bi_openai_request_bearer(secret, ex);
	else
		bi_exchange_add_header(ex, "api-key", secret);
}

/* Jobs. */

static char *
refuse_job(const BiSpec *spec, const BiServer *server)
{
	if (server->expires_after > 0 && (server->expires_after < LIFE_MIN || server->expires_after > LIFE_MAX))
		return psprintf("option \"expires_after\" of the server must be 0 or between %d and %d seconds", LIFE_MIN, LIFE_MAX);
	return bi_openai_spec_refuse_job(spec, server);
}

/* A model is a deployment's name, which does not tell what is deployed. */
static int
embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel none[] = {{NULL}};
	const BiJson *params = spec->params ? bi_json_parse(spec->params, strlen(spec->params)) : NULL;

	return bi_embedding_size(spec, bi_json_get(params, "dimensions"), none);
}

/* Requests. */

static void
upload(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_upload(&dialect, call, ex);
}

static void
create(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_create(&dialect, call, ex);
}

static void
find(const BiCall *call, const char *cursor, BiExchange *ex)
{
	bi_openai_request_find(&dialect, call, cursor, ex);
}

static void
poll(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_poll(&dialect, call, ex);
}

static void
cancel(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_cancel(&dialect, call, ex);
}

static bool
fetch(const BiCall *call, int part, BiExchange *ex)
{
	return bi_openai_request_fetch(&dialect, call, part, ex);
}

static bool
discard(const BiCall *call, int i, BiExchange *ex)
{
	return bi_openai_request_discard(&dialect, call, i, ex);
}

static void
check(const BiCall *call, BiExchange *ex)
{
	bi_openai_request_check(&dialect, call, ex);
}

/* Replies that say more than OpenAI's. */

/* Headers that not every version sends: what this batch and what the deployment may have. */
static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatch *batch)
{
	BiVerdict	verdict = bi_openai_read_create(call, ex, batch);
	const char *tokens = bi_exchange_reply_header(ex, "deployment-enqueued-tokens");
	const char *limit = bi_exchange_reply_header(ex, "deployment-maximum-enqueued-tokens");

	if (verdict.kind == BI_DEFER && tokens && limit)
		verdict.message = psprintf("%s (this batch has %.20s tokens, the deployment may have %.20s enqueued)",
								   verdict.message, tokens, limit);
	return verdict;
}

/* The list of models proves address, version and key.  Deployments are known to Azure's
 * management only, where this key is worth nothing. */
static BiVerdict
read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_read_check(call, ex);

	if (verdict.kind == BI_OK)
		verdict.message = pstrdup("address and key are good; Azure OpenAI has no free call that proves a deployment: that the model is "
								  "the name of one, of type Global-Batch or DataZoneBatch, is told by the first batch");
	else if (verdict.kind == BI_ABSENT)
	{
		verdict.kind = BI_REFUSED;
		verdict.message = psprintf("%s (are options \"base_url\" and \"api_version\" right?)", verdict.message);
	}
	return verdict;
}

static const char *const server_options[] = {
	"api_version", "completion_window", "metadata", "expires_after", "authority_url",
	"token_scope", "endpoint", NULL
};
static const char *const mapping_options[] = {
	"api_key", "api_key_file", "api_key_env", "tenant_id", "client_id", "client_secret", NULL
};

const BiProvider bi_azure = {
	.name = "azure_openai",
	.request_id = "apim-request-id",
	.limits = {
		.max_requests = 100000,
		.min_requests = 1,
		.max_bytes = 200000000,
		.max_files = 500,
		.poll_interval = 60,
		.expires_after = LIFE_MIN,
	},
	.server_options = server_options,
	.mapping_options = mapping_options,
	.choose_endpoint = bi_openai_endpoint_choose,
	.refuse_job = refuse_job,
	.refuse_input = bi_openai_spec_refuse_input,
	.embedding_size = embedding_size,
	.frame = bi_openai_spec_frame,
	.login = login,
	.read_login = read_login,
	.authorize = authorize,
	.upload = upload,
	.read_upload = bi_openai_read_upload,
	.create = create,
	.read_create = read_create,
	.find = find,
	.read_find = bi_openai_read_find,
	.poll = poll,
	.read_poll = bi_openai_read_poll,
	.cancel = cancel,
	.read_cancel = bi_openai_read_cancel,
	.fetch = fetch,
	.read_fetch = bi_openai_read_fetch,
	.read_line = bi_openai_line_read,
	.discard = discard,
	.read_discard = bi_openai_read_discard,
	.check = check,
	.read_check = read_check,
};
