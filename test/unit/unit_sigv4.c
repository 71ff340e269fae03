/*
 * test/unit/unit_sigv4.c: a vector of fixtures/sigv4, signed by base/sigv4.c.
 */
#include "postgres.h"

#include "base/sigv4.h"
#include "base/spool.h"
#include "fmgr.h"
#include "unit.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(unit_sigv4);

static char *
text_of(const BiJson *json, const char *key)
{
	return bi_json_cstring(bi_json_get(json, key));
}

static void
append_text(StringInfo out, const char *text)
{
	appendStringInfoString(out, text ? text : "");
}

/* {"head":…,"spool":…,"times":…,"tail":…}: the spool's text stands there that often. */
static void
fill_body(BiExchange *ex, const BiJson *body)
{
	char	   *spooled = text_of(body, "spool");

	ex->has_body = true;
	append_text(&ex->head, text_of(body, "head"));
	if (spooled)
	{
		ex->upload = bi_spool_new(CurrentMemoryContext);
		for (int64 i = bi_json_int(bi_json_get(body, "times"), 1); i > 0; i--)
			bi_spool_write(ex->upload, spooled, strlen(spooled));
		bi_spool_flush(ex->upload);
	}
	append_text(&ex->tail, text_of(body, "tail"));
}

static void
fill_signer(BiSigv4 *with, const BiJson *vector)
{
	char	   *payload = text_of(vector, "payload");

	memset(with, 0, sizeof(BiSigv4));
	with->access_key = text_of(vector, "access_key");
	with->secret_key = text_of(vector, "secret_key");
	with->session_token = text_of(vector, "session_token");
	with->region = text_of(vector, "region");
	with->service = text_of(vector, "service");
	with->now_unix = bi_json_int(bi_json_get(vector, "time"), 0);
	with->s3 = bi_json_bool(bi_json_get(vector, "s3"), false);
	with->payload = payload == NULL ? BI_SIGV4_BODY :
		strcmp(payload, "UNSIGNED-PAYLOAD") == 0 ? BI_SIGV4_UNSIGNED : BI_SIGV4_GIVEN;
	with->payload_hash = payload;
}

/* Returns the request's headers after signing, a line each. */
Datum
unit_sigv4(PG_FUNCTION_ARGS)
{
	BiJson	   *vector = unit_parse(PG_GETARG_BYTEA_PP(0));
	BiExchange *ex = bi_exchange_new(CurrentMemoryContext);
	BiJson	   *headers = bi_json_get(vector, "headers");
	BiSigv4		with;
	StringInfoData out;
	ListCell   *lc;

	bi_exchange_request(ex, text_of(vector, "method"), text_of(vector, "url"));
	for (int i = 0; i < bi_json_length(headers); i++)
	{
		BiJson	   *header = bi_json_item(headers, i);

		bi_exchange_add_header(ex, bi_json_cstring(bi_json_item(header, 0)),
							   bi_json_cstring(bi_json_item(header, 1)));
	}
	if (bi_json_get(vector, "body"))
		fill_body(ex, bi_json_get(vector, "body"));
	fill_signer(&with, vector);
	bi_sigv4_sign(ex, &with);

	initStringInfo(&out);
	foreach(lc, ex->headers)
		appendStringInfo(&out, "%s: %s\n", ((BiHeader *) lfirst(lc))->name,
						 ((BiHeader *) lfirst(lc))->value);
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}
