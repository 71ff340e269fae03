/*
 * provider/google/vertex_address.c: addresses of Vertex AI.
 *
 * Knows which host serves which location, and the paths of batch prediction jobs.
 */
#include "postgres.h"

#include "provider/google/vertex_address.h"
#include "provider/wire.h"

/* Returns the public address of the server's location, palloc'd. */
static char *
endpoint_of(const BiServer *server)
{
	const char *location = server->location ? server->location : "global";

	if (strcmp(location, "global") == 0)
		return pstrdup("https://aiplatform.googleapis.com");
	if (strcmp(location, "us") == 0 || strcmp(location, "eu") == 0)
		return psprintf("https://aiplatform.%s.rep.googleapis.com", location);
	return psprintf("https://%s-aiplatform.googleapis.com", location);
}

void
bi_vertex_address_request(const BiCall *call, const char *method, const char *path, BiExchange *ex)
{
	const BiServer *server = call->server;
	char	   *base = bi_wire_base_url(server, endpoint_of(server));

	bi_exchange_request(ex, method, psprintf("%s%s", base, path));
	bi_exchange_add_header(ex, "Accept", "application/json");
}

char *
bi_vertex_address_jobs(const BiServer *server, const char *id)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, "/v1/projects/");
	bi_wire_append_escaped(&path, server->project);
	appendStringInfo(&path, "/locations/%s/batchPredictionJobs", server->location);
	if (id)
	{
		appendStringInfoChar(&path, '/');
		bi_wire_append_escaped(&path, id);
	}
	return path.data;
}

bool
bi_vertex_address_is_unknown(const BiCall *call, const BiExchange *ex, BiVerdict *verdict)
{
	if (verdict->kind != BI_VERDICT_UNCLEAR || ex->transport != BI_TRANSPORT_REPLIED ||
		ex->status != 404)
		return false;
	verdict->message = psprintf("there is no location \"%s\" at this address: %s",
								call->server->location, verdict->message);
	return true;
}
