/*
 * provider/openai/openai_request.h: the requests of OpenAI's batch API and of its relatives'.
 */
#ifndef BI_OPENAI_REQUEST_H
#define BI_OPENAI_REQUEST_H

#include "provider/provider.h"

/*
 * In what a relative (Azure OpenAI) is asked differently.  A constant; BiProvider's dialect points
 * to it, and the routines below read it from the call's provider.
 */
typedef struct BiOpenaiDialect
{
	/* Returns the whole URL of a path such as /files; query has no "?" and may be NULL. */
	char	   *(*url) (const BiServer *server, const char *path, const char *query);

	/* Returns what the create call names as the batch's endpoint. */
	const char *(*endpoint) (const BiServer *server, const BiSpec *spec);

	/* Returns the path of the job's requests that are answered at once, palloc'd.  NULL: as that of
	 * its lines, below the URL of "/". */
	char	   *(*realtime_path) (const BiServer *server, const BiSpec *spec);

	/* True if the create call may say when the results are removed. */
	bool		(*outputs_expire) (const BiServer *server);

	const char *expires_anchor; /* the form fields by which an upload gets an end */
	const char *expires_seconds;
	int64		file_life;		/* seconds that an upload lives unless the server says otherwise */
	int64		file_life_min;	/* the least that the API takes */
	const char *file_type;		/* the media type of an upload's part */
	bool		has_organizations;	/* organization and project travel as headers */
	bool		has_models;		/* GET /models/NAME answers whether NAME can be used */
} BiOpenaiDialect;

/* As in provider.h, in the dialect of the call's provider. */
extern void bi_openai_request_upload(const BiCall *call, BiExchange *ex);
extern void bi_openai_request_create(const BiCall *call, BiExchange *ex);
extern void bi_openai_request_find(const BiCall *call, const char *cursor, BiExchange *ex);
extern void bi_openai_request_poll(const BiCall *call, BiExchange *ex);
extern void bi_openai_request_cancel(const BiCall *call, BiExchange *ex);
extern bool bi_openai_request_fetch(const BiCall *call, int part, BiExchange *ex);
extern bool bi_openai_request_discard(const BiCall *call, int i, BiExchange *ex);
extern void bi_openai_request_check(const BiCall *call, BiExchange *ex);

/* Implements request of BiProviderRealtime. */
extern void bi_openai_request_realtime(const BiCall *call, BiExchange *ex);

/* True if the cursor is a word of the server's and the page was asked for with it. */
extern bool bi_openai_request_has_word(const BiExchange *ex, const char *cursor);

#endif							/* BI_OPENAI_REQUEST_H */
