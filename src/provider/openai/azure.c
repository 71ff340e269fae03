/*
 * provider/openai/azure.c: Azure OpenAI: what it does differently from OpenAI.
 *
 * Knows its addresses, its logins, and that files must live long; all else is shared with OpenAI,
 * through the dialect.  A model is the name of a deployment.  Source: Microsoft's pages "Getting
 * started with Azure OpenAI batch deployments" and "Azure OpenAI REST API reference".
 *
 * Addresses: a base_url that ends with /v1 is the v1 surface.  Any other is the resource's
 * endpoint: with api_version it is asked on the classic surface, without on the v1 surface below
 * /openai/v1.
 *
 * Decided here:
 * - Lines have the URL /v1/chat/completions on both surfaces.  The create call names
 *   /v1/chat/completions on v1 and /chat/completions on the classic surface, also for lines of
 *   /v1/responses: Azure documents no endpoint for them and looks into the file.
 * - Uploads expire after 14 days, the least that Azure takes; a shorter life is refused at submit.
 *   expires_after '0' sends none, and then 500 files are all that a resource has room for.
 * - Results are given an end on v1; on the classic surface only if the server sets expires_after,
 *   because its older versions do not know the member.
 * - No free call proves a deployment: Azure's management knows deployments, the data plane lists
 *   base models.  So batch_check proves address, version and key, and says so.  A deployment that
 *   is missing (model_not_found) or of another type (invalid_request) fails the first batch.
 * - Entra ID: whatever it refuses is DENIED, because a person must act; all else is DEFER.
 *   authority_url and token_scope are for clouds other than the public one.
 */
#include "postgres.h"

#include "provider/embedding.h"
#include "provider/openai/azure.h"
#include "provider/openai/openai.h"
#include "provider/openai/openai_endpoint.h"
#include "provider/openai/openai_line.h"
#include "provider/openai/openai_request.h"
#include "provider/openai/openai_spec.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

#define DAY (24 * 60 * 60)
#define LIFE_MIN (14 * DAY)
#define LIFE_MAX (30 * DAY)
#define AUTHORITY "https://login.microsoftonline.com"
#define SCOPE "https://cognitiveservices.azure.com/.default"

/* Addresses */

/* True if the server is asked on the classic surface. */
static bool
is_classic(const BiServer *server)
{
	return server->api_version && !bi_words_end(bi_wire_base_url(server, ""), "/v1");
}

static char *
url_of(const BiServer *server, const char *path, const char *query)
{
	StringInfoData url;

	initStringInfo(&url);
	appendStringInfoString(&url, bi_wire_base_url(server, ""));
	if (!bi_words_end(url.data, "/v1"))
	{
		if (!bi_words_end(url.data, "/openai"))
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

static const char *
endpoint_of(const BiServer *server, const BiSpec *spec)
{
	const char *path = bi_openai_endpoint_is_responses(spec) ? BI_OPENAI_CHAT
		: bi_openai_endpoint_path(spec);

	return path + (is_classic(server) ? strlen("/v1") : 0);
}

static bool
outputs_expire(const BiServer *server)
{
	return server->expires_after > 0 || !is_classic(server);
}

/* On the classic surface the deployment is in the path, except for responses. */
static char *
realtime_path(const BiServer *server, const BiSpec *spec)
{
	const char *path = bi_openai_endpoint_path(spec) + strlen("/v1");

	if (!is_classic(server) || bi_openai_endpoint_is_responses(spec))
		return pstrdup(path);
	return bi_wire_path("/deployments/", spec->model, path);
}

static const BiOpenaiDialect dialect = {
	.url = url_of,
	.realtime_path = realtime_path,
	.endpoint = endpoint_of,
	.outputs_expire = outputs_expire,
	.expires_anchor = "expires_after.anchor",
	.expires_seconds = "expires_after.seconds",
	.file_life = LIFE_MIN,
	.file_life_min = LIFE_MIN,
	.file_type = "application/octet-stream",
};

/* Logins */

/* True if the mapping names a client of Entra ID, whose secret is exchanged for a token; else it
 * has a key. */
static bool
has_client(const BiServer *server)
{
	return server->key.tenant_id && server->key.client_id;
}

static bool
request_token(const BiCall *call, const char *secret, BiExchange *ex)
{
	const BiServer *server = call->server;
	StringInfoData url;

	if (!has_client(server))
		return false;
	initStringInfo(&url);
	appendStringInfo(&url, "%s/",
					 bi_wire_trimmed(server->authority_url ? server->authority_url : AUTHORITY));
	bi_wire_append_escaped(&url, server->key.tenant_id);
	appendStringInfoString(&url, "/oauth2/v2.0/token");
	bi_exchange_request(ex, "POST", url.data);
	bi_exchange_add_header(ex, "Accept", "application/json");
	bi_exchange_add_header(ex, "Content-Type", "application/x-www-form-urlencoded");
	ex->has_body = true;
	/* Take all the room now: a text that grows leaves copies of the secret, which nobody wipes. */
	enlargeStringInfo(&ex->head,
					  (int) (3 * (strlen(secret) + strlen(server->key.client_id)) + 1024));
	bi_wire_append_field(&ex->head, "client_id", server->key.client_id);
	bi_wire_append_field(&ex->head, "scope", server->token_scope ? server->token_scope : SCOPE);
	bi_wire_append_field(&ex->head, "client_secret", secret);
	bi_wire_append_field(&ex->head, "grant_type", "client_credentials");
	return true;
}

/* Returns DENIED or DEFER: a login has no effect that could be lost. */
static BiVerdict
refused_login(const BiExchange *ex, BiVerdict verdict)
{
	BiJson	   *json = ex->transport == BI_TRANSPORT_REPLIED ? bi_wire_body(ex) : NULL;
	char	   *code = bi_wire_json_words(bi_json_at(json, "error", NULL), BI_WIRE_CODE);
	char	   *message =
		bi_wire_json_words(bi_json_at(json, "error_description", NULL), BI_WIRE_MESSAGE);
	bool		is_final = verdict.kind == BI_VERDICT_REFUSED ||
		verdict.kind == BI_VERDICT_ABSENT || verdict.kind == BI_VERDICT_DENIED;

	bi_verdict_change(&verdict, ex, is_final ? BI_VERDICT_DENIED : BI_VERDICT_DEFER);
	if (code && message && ex->status >= 400)
	{
		verdict.code = code;
		verdict.message = message;
	}
	return verdict;
}

static BiVerdict
read_token(const BiCall *call, const char *secret, const BiExchange *ex, char **token,
		   int *lifetime)
{
	BiVerdict	verdict = bi_verdict_read(ex);
	BiJson	   *json;

	*token = NULL;
	*lifetime = 0;
	if (verdict.kind != BI_VERDICT_OK)
		return refused_login(ex, verdict);
	json = bi_wire_body(ex);
	*token = bi_json_cstring(bi_json_at(json, "access_token", NULL));
	*lifetime = (int) Min(Max(bi_json_int(bi_json_at(json, "expires_in", NULL), 0), 0), DAY);
	if (*token && bi_secret_fits(*token, strlen(*token)))
		return verdict;
	*token = NULL;
	verdict = bi_verdict_unexpected(ex, "a token");
	bi_verdict_change(&verdict, ex, BI_VERDICT_DEFER);
	return verdict;
}

static void
authorize(const BiCall *call, const char *secret, BiExchange *ex)
{
	if (has_client(call->server))
		bi_wire_bearer(secret, ex);
	else
		bi_exchange_add_header(ex, "api-key", secret);
}

/* Jobs */

static char *
refuse_job(const BiSpec *spec, const BiServer *server)
{
	if (server->expires_after > 0 &&
		(server->expires_after < LIFE_MIN || server->expires_after > LIFE_MAX))
		return psprintf("option \"expires_after\" of the server must be 0 or between %d and %d"
						" seconds", LIFE_MIN, LIFE_MAX);
	return bi_openai_spec_refuse_job(spec, server);
}

/* The name of a deployment does not say which model it is: only params tell. */
static int
embedding_size(const BiSpec *spec)
{
	static const BiEmbeddingModel none[] = {{NULL}};
	const BiJson *params = bi_json_parse_cstring(spec->params);

	return bi_embedding_size(spec, bi_json_get(params, "dimensions"), none);
}

/* Replies that say more than OpenAI's */

/* Some versions send headers with the tokens of this batch and those that the deployment may have:
 * a batch that waits for room quotes them. */
static BiVerdict
read_create(const BiCall *call, const BiExchange *ex, BiBatchReport *batch)
{
	BiVerdict	verdict = bi_openai_read_create(call, ex, batch);
	const char *tokens = bi_exchange_reply_header(ex, "deployment-enqueued-tokens");
	const char *limit = bi_exchange_reply_header(ex, "deployment-maximum-enqueued-tokens");

	if (verdict.kind == BI_VERDICT_DEFER && tokens && limit)
		verdict.message = psprintf("%s (this batch has %.20s tokens,"
								   " the deployment may have %.20s enqueued)",
								   verdict.message, tokens, limit);
	return verdict;
}

/* The list of models proves address, version and key. */
static BiVerdict
read_check(const BiCall *call, const BiExchange *ex)
{
	BiVerdict	verdict = bi_openai_read_check(call, ex);

	if (verdict.kind == BI_VERDICT_OK)
		verdict.message = pstrdup("address and key are good; Azure OpenAI has no free call that"
								  " proves a deployment: that the model is the name of one, of type"
								  " Global-Batch or DataZoneBatch, is told by the first batch");
	else if (verdict.kind == BI_VERDICT_ABSENT)
	{
		bi_verdict_change(&verdict, ex, BI_VERDICT_REFUSED);
		verdict.message =
			psprintf("%s (are options \"base_url\" and \"api_version\" right?)", verdict.message);
	}
	return verdict;
}

/* A deployment of batches answers no single requests: it says that the operation does not go with
 * the model, or is not found. */
static BiVerdict
read_realtime(const BiCall *call, const BiExchange *ex, BiResultLine *line)
{
	BiVerdict	verdict = bi_openai_line_read_reply(call, ex, line);

	if (verdict.kind == BI_VERDICT_REFUSED &&
		bi_words_equal(verdict.code, "OperationNotSupported"))
		bi_verdict_change(&verdict, ex, BI_VERDICT_ABSENT);
	if (verdict.kind == BI_VERDICT_ABSENT && call->server->realtime_model == NULL)
		verdict.message = psprintf("%s (single requests need a deployment of another type than"
								   " batches: option \"realtime_model\" of the server names it)",
								   verdict.message);
	return verdict;
}

static const char *const server_options[] = {
	"api_version", "completion_window", "metadata", "expires_after", "authority_url",
	"token_scope", "endpoint", "realtime_base_url", NULL
};
static const char *const mapping_options[] = {
	"api_key", "api_key_file", "api_key_env", "tenant_id", "client_id", "client_secret", NULL
};

static const BiProviderJob job_routines = {
	.choose_endpoint = bi_openai_endpoint_choose,
	.refuse_job = refuse_job,
	.refuse_input = bi_openai_spec_refuse_input,
	.embedding_size = embedding_size,
	.frame = bi_openai_spec_frame,
};

static const BiProviderLogin login_routines = {
	.request_token = request_token,
	.read_token = read_token,
	.authorize = authorize,
};

static const BiProviderBatch batch_routines = {
	.upload = bi_openai_request_upload,
	.read_upload = bi_openai_read_upload,
	.create = bi_openai_request_create,
	.read_create = read_create,
	.find = bi_openai_request_find,
	.read_find = bi_openai_read_find,
	.poll = bi_openai_request_poll,
	.read_poll = bi_openai_read_poll,
	.cancel = bi_openai_request_cancel,
	.read_cancel = bi_openai_read_cancel,
	.fetch = bi_openai_request_fetch,
	.read_fetch = bi_openai_read_fetch,
	.read_line = bi_openai_line_read,
	.discard = bi_openai_request_discard,
	.read_discard = bi_openai_read_discard,
};

static const BiProviderRealtime realtime_routines = {
	.frame = bi_openai_spec_frame_body,
	.request = bi_openai_request_realtime,
	.read = read_realtime,
};

static const BiProviderCheck check_routines = {
	.request = bi_openai_request_check,
	.read = read_check,
};

const BiProvider bi_azure = {
	.name = "azure_openai",
	.defaults = {
		.request_id_header = "apim-request-id",
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
	},
	.job = &job_routines,
	.login = &login_routines,
	.batch = &batch_routines,
	.realtime = &realtime_routines,
	.check = &check_routines,
	.dialect = &dialect,
};
