/*
 * test/fuzz/target_option.c: the validator of options.
 *
 * Input: a line "server", "mapping" or "wrapper", behind it "superuser" or another word, and
 * "restored" where a dump is, then a line "NAME VALUE" for each option.
 */
#include "postgres.h"

#include "base/guc.h"
#include "base/url.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "fmgr.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "nodes/parsenodes.h"
#include "store/server.h"
#include "utils/guc.h"

extern Datum batchinf_validator(PG_FUNCTION_ARGS);

typedef struct Given
{
	Oid			catalog;
	List	   *options;
} Given;

static DefElem *
read_option(char *line)
{
	DefElem    *def = makeNode(DefElem);
	String	   *value = makeNode(String);

	def->defname = fuzz_word(&line);
	value->sval = pstrdup(*line ? line + 1 : line);
	def->arg = (Node *) value;
	return def;
}

static void
validate(void *arg)
{
	const Given *given = arg;
	LOCAL_FCINFO(fcinfo, 2);

	fcinfo->args[0].value = PointerGetDatum(given->options);
	fcinfo->args[1].value = ObjectIdGetDatum(given->catalog);
	(void) batchinf_validator(fcinfo);
}

/* None of our words has a tilde: where one stands in an error it came from a value, if not from
 * an option's name. */
static void
check_secrets(const List *options)
{
	ListCell   *lc;

	foreach(lc, options)
		if (strchr(((const DefElem *) lfirst(lc))->defname, '~'))
			return;
	FUZZ_CHECK(!strchr(fuzz_error.message, '~') && !strchr(fuzz_error.detail, '~') &&
			   !strchr(fuzz_error.hint, '~'));
}

/* Nobody reads another host out of a URL that is let pass. */
static void
check_url(const char *url)
{
	char	   *host;
	const char *authority = strstr(url, "://");

	if (bi_url_refuse(url, &host) != NULL)
		return;
	FUZZ_CHECK(authority && (strncmp(url, "https://", 8) == 0) == (host == NULL));
	authority += 3;
	FUZZ_CHECK(strpbrk(url, "?#\\ \t\r\n") == NULL &&
			   memchr(authority, '@', strcspn(authority, "/")) == NULL);
	FUZZ_CHECK(host == NULL || (*host && strncmp(authority, host, strlen(host)) == 0));
}

void
fuzz_one(const char *data, size_t len)
{
	static const char *const kinds[] = {"server", "mapping", "wrapper", NULL};
	static const Oid catalogs[] =
		{ForeignServerRelationId, UserMappingRelationId, ForeignDataWrapperRelationId};
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	Given		given = {catalogs[fuzz_choose(fuzz_word(&line), kinds)]};
	bool		good;
	ListCell   *lc;

	/* option texts come from the server, so they are valid */
	if (pg_encoding_verifymbstr(PG_UTF8, data, (int) len) != (int) len)
		return;
	fuzz_superuser = strcmp(fuzz_word(&line), "superuser") == 0;
	check_function_bodies = strcmp(fuzz_word(&line), "restored") != 0;
	bi_guc_allowed_http_hosts = "localhost, 127.0.0.1, [::1]";
	while (input.len > 0)
		given.options = lappend(given.options, read_option(fuzz_line(&input)));

	good = fuzz_try(validate, &given);
	if (!good && given.catalog == UserMappingRelationId)
		check_secrets(given.options);
	foreach(lc, given.options)
	{
		const DefElem *def = lfirst(lc);
		const char *value = strVal(def->arg);

		check_url(value);
		FUZZ_CHECK(bi_server_parse_size(value) >= -1);
	}
}
