/*
 * api/option.c: the validator of the wrapper: which options there are, and which values they
 * take.
 *
 * PostgreSQL calls it at CREATE and ALTER of a wrapper, SERVER or USER MAPPING, always with all
 * options that the object has then.  So a role that alters a mapping with a privileged option
 * needs the right to that option too.
 *
 * Knows options, ranges and who may set what.  Must not know how an option is used.  No error
 * repeats a value of a user mapping, or a URL: it may hold a password.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/reloptions.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"

#include "api/mapping.h"
#include "api/option.h"
#include "api/serving.h"
#include "base/choice.h"
#include "base/guc.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/url.h"
#include "provider/reasoning.h"
#include "provider/registry.h"
#include "store/server.h"

#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* An option that objects of one kind take.  Constant. */
typedef struct Option
{
	const char *name;
	Oid			catalog;		/* the catalog of the kind of object */
	void		(*check) (const struct Option *option, const char *value);
	int64		min;			/* the least number, for check_count and check_size */
	int64		max;			/* the greatest one */
	bool		may_be_zero;	/* 0 is valid although it is less than min */
	bool		may_have_lines; /* the value may have line breaks and tabs */
	const char *const *words;	/* all valid values for check_word, NULL-terminated */
} Option;

#define WORDS(...) .words = (const char *const[]) {__VA_ARGS__, NULL}

/* Raises an error.  detail says what the value must be, and not what it is. */
static void
refuse_value(const Option *option, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", option->name),
			 errdetail_internal("%s", detail)));
}

static void
check_provider(const Option *option, const char *value)
{
	BiChoices	choices;
	const char *name;

	if (bi_registry_find(value) != NULL)
		return;
	bi_choice_begin(&choices, value);
	for (int i = 0; (name = bi_registry_name(i)) != NULL; i++)
		bi_choice_add(&choices, name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized provider \"%s\"", value),
			 errdetail("Valid providers are: %s.", choices.valid.data),
			 choices.closest
			 ? errhint("Perhaps you meant the provider \"%s\".", choices.closest)
			 : 0));
}

/*
 * Refuses plain http to a host that is not in batchinf.allowed_http_hosts, unless a superuser
 * says it. base/http.c decides again at each exchange.
 */
static void
check_url(const Option *option, const char *value)
{
	char	   *plain_host;
	char	   *reason = bi_url_refuse(value, &plain_host);

	if (reason != NULL)
		refuse_value(option, reason);
	if (plain_host == NULL || superuser() || bi_guc_http_host_allowed(plain_host))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to use plain http in option \"%s\"", option->name),
			 errhint("Use https, or have host \"%s\" added to \"batchinf.allowed_http_hosts\".",
					 plain_host)));
}

/* For a value that goes into request bodies: any text that UTF-8 has. */
static void
check_text(const Option *option, const char *value)
{
	(void) pg_server_to_any(value, strlen(value), PG_UTF8);
}

/* For a value that goes into host names. */
static void
check_name(const Option *option, const char *value)
{
	if (value[strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		refuse_value(option, "The value must consist of lower-case letters, digits and hyphens.");
}

/* True if the value is a URL of a store.  Its bucket may become a host name, its prefix a path. */
static bool
is_storage(const char *value)
{
	const char *bucket = value + strlen("s3://");
	const char *prefix;
	bool		has_bucket;

	if (strncmp(value, "s3://", 5) != 0 && strncmp(value, "gs://", 5) != 0)
		return false;
	prefix = bucket + strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-_");
	has_bucket = prefix - bucket >= 3 && prefix - bucket <= 222;
	return has_bucket && (*prefix == '\0' || *prefix == '/') &&
		prefix[strspn(prefix, WORD_CHARS "/-.")] == '\0' &&
		strstr(prefix, "//") == NULL && strstr(prefix, "/.") == NULL;
}

static void
check_storage(const Option *option, const char *value)
{
	if (!is_storage(value))
		refuse_value(option, "The value must be s3://bucket/prefix or gs://bucket/prefix, the"
					 " prefix of letters, digits, \"-\", \"_\", \".\" and single \"/\".");
}

/* For a value that goes into request headers too. */
static void
check_token(const Option *option, const char *value)
{
	if (!bi_secret_fits(value, strlen(value)))
		refuse_value(option, "The value must consist of visible ASCII characters, without spaces.");
}

/* Raises an error if the number, which is the value as it was read, is out of range.  what and
 * example are for the detail. */
static void
check_number(const Option *option, const char *value, int64 number, const char *what,
			 const char *example)
{
	if ((number == 0 && option->may_be_zero) || (number >= option->min && number <= option->max))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", option->name, value),
			 errdetail("The value must be %s%s between %lld and %lld%s.",
					   option->may_be_zero ? "0 or " : "", what,
					   (long long) option->min, (long long) option->max, example)));
}

static void
check_count(const Option *option, const char *value)
{
	bool		digits = value[strspn(value, "0123456789")] == '\0';

	check_number(option, value, digits ? bi_server_parse_size(value) : -1, "an integer", "");
}

static void
check_size(const Option *option, const char *value)
{
	check_number(option, value, bi_server_parse_size(value), "a number of bytes",
				 ", such as \"200000000\" or \"100MB\"");
}

static void
check_key(const Option *option, const char *value)
{
	if (!bi_secret_fits(value, strlen(value)))
		refuse_value(option, "A key must consist of visible ASCII characters, without spaces and"
					 " line breaks.");
}

/* Raises an error unless the current user may read the machine's files and environment. */
static void
check_privilege(const Option *option)
{
	if (has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set option \"%s\"", option->name),
			 errhint("Only roles with privileges of \"pg_read_server_files\" may create or alter a"
					 " user mapping that has this option.")));
}

static void
check_file(const Option *option, const char *value)
{
	check_privilege(option);
	if (!is_absolute_path(value))
		refuse_value(option, "The value must be an absolute path on the database server.");
}

/* For a key that is a document, of several lines. */
static void
check_document(const Option *option, const char *value)
{
	if (bi_json_type(bi_json_parse(value, strlen(value))) != BI_JSON_OBJECT)
		refuse_value(option, "The value must be the JSON object that the provider's console gave.");
}

static void check_word(const Option *option, const char *value);

/* Any source but "static", the mapping's own keys, means keys of the machine. */
static void
check_source(const Option *option, const char *value)
{
	check_word(option, value);
	if (strcmp(value, "static") != 0)
		check_privilege(option);
}

static void
check_environment(const Option *option, const char *value)
{
	check_privilege(option);
	if (isdigit((unsigned char) value[0]) ||
		value[strspn(value, WORD_CHARS)] != '\0')
		refuse_value(option, "The value must be the name of an environment variable.");
}

static void
check_word(const Option *option, const char *value)
{
	BiChoices	choices;

	bi_choice_begin(&choices, value);
	for (const char *const *word = option->words; *word; word++)
	{
		if (strcmp(*word, value) == 0)
			return;
		bi_choice_add(&choices, *word);
	}
	refuse_value(option, psprintf("Valid values are: %s.", choices.valid.data));
}

static void
check_tags(const Option *option, const char *value)
{
	if (!bi_reasoning_is_list(value))
		refuse_value(option,
					 psprintf("The value must be 1 to %d names of tags, separated by commas, such"
							  " as \"think\".", BI_REASONING_TAGS));
}

static const Option options[] = {
	{"provider", ForeignServerRelationId, check_provider},
	{"base_url", ForeignServerRelationId, check_url},
	{"model", ForeignServerRelationId, check_text},
	{"organization", ForeignServerRelationId, check_token},
	{"project", ForeignServerRelationId, check_token},
	{"completion_window", ForeignServerRelationId, check_token},
	{"api_version", ForeignServerRelationId, check_token},
	{"auth", ForeignServerRelationId, check_word, WORDS("x-api-key", "bearer")},
	{"prompt_cache", ForeignServerRelationId, check_word, WORDS("off", "5m", "1h", "auto")},
	{"endpoint", ForeignServerRelationId, check_word, WORDS("chat", "responses")},
	{"metadata", ForeignServerRelationId, check_word, WORDS("on", "off")},
	{"authority_url", ForeignServerRelationId, check_url},
	{"token_scope", ForeignServerRelationId, check_token},
	{"region", ForeignServerRelationId, check_name},
	{"location", ForeignServerRelationId, check_name},
	{"role_arn", ForeignServerRelationId, check_token},
	{"storage_url", ForeignServerRelationId, check_storage},
	{"storage_base_url", ForeignServerRelationId, check_url},
	{"storage_style", ForeignServerRelationId, check_word, WORDS("virtual", "path")},
	{"storage_kms_key", ForeignServerRelationId, check_token},
	{"storage_owner", ForeignServerRelationId, check_token},
	{"storage_create", ForeignServerRelationId, check_word, WORDS("on", "off")},
	{"realtime_model", ForeignServerRelationId, check_text},
	{"realtime_base_url", ForeignServerRelationId, check_url},
	{"runtime_base_url", ForeignServerRelationId, check_url},
	{"request_labels", ForeignServerRelationId, check_word, WORDS("on", "off")},
	{"max_requests", ForeignServerRelationId, check_count, 1, 10000000},
	{"min_requests", ForeignServerRelationId, check_count, 1, 10000000},
	{"max_bytes", ForeignServerRelationId, check_size, 1, INT64CONST(1) << 40},
	{"max_batches", ForeignServerRelationId, check_count, 1, 1000000},
	{"max_enqueued_tokens", ForeignServerRelationId, check_count, 1, INT64CONST(1000000000000000)},
	{"max_enqueued_requests", ForeignServerRelationId, check_count, 1, INT64CONST(1000000000000)},
	{"max_files", ForeignServerRelationId, check_count, 1, 1000000},
	{"poll_interval", ForeignServerRelationId, check_count, 1, 3600},
	{"expires_after", ForeignServerRelationId, check_count, 3600, 2592000, true},
	{"settle_time", ForeignServerRelationId, check_count, 1, 3600, true},
	{"reasoning_tags", ForeignServerRelationId, check_tags},
	{"api_key", UserMappingRelationId, check_key},
	{"api_key_file", UserMappingRelationId, check_file},
	{"api_key_env", UserMappingRelationId, check_environment},
	{"tenant_id", UserMappingRelationId, check_key},
	{"client_id", UserMappingRelationId, check_key},
	{"client_secret", UserMappingRelationId, check_key},
	{"service_account", UserMappingRelationId, check_document, .may_have_lines = true},
	{"service_account_file", UserMappingRelationId, check_file},
	{"access_key_id", UserMappingRelationId, check_key},
	{"secret_access_key", UserMappingRelationId, check_key},
	{"session_token", UserMappingRelationId, check_key},
	{"credential_source", UserMappingRelationId, check_source,
	WORDS("static", "environment", "web_identity", "container", "instance")},
};

static const Option *
find_option(const char *name, Oid catalog)
{
	for (int i = 0; i < lengthof(options); i++)
	{
		if (options[i].catalog == catalog && strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

/* True if the provider takes that option, or any does if provider is NULL. */
static bool
is_valid(const char *name, Oid catalog, const BiProvider *provider)
{
	if (find_option(name, catalog) == NULL)
		return false;
	if (provider == NULL)
		return true;
	if (catalog == ForeignServerRelationId)
		return bi_registry_takes_server_option(provider, name);
	return bi_registry_takes_mapping_option(provider, name);
}

/*
 * Reports an option that is not valid, as an error or a warning.  hint is NULL, or what is said if
 * no valid name comes close.
 */
static void
refuse_option(int level, const char *name, Oid catalog, const BiProvider *provider,
			  const char *hint)
{
	BiChoices	choices;

	bi_choice_begin(&choices, name);
	for (int i = 0; i < lengthof(options); i++)
	{
		if (is_valid(options[i].name, catalog, provider) && options[i].catalog == catalog)
			bi_choice_add(&choices, options[i].name);
	}
	if (choices.closest)
		hint = psprintf("Perhaps you meant the option \"%s\".", choices.closest);
	ereport(level,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 provider
			 ? errmsg("invalid option \"%s\" for provider \"%s\"", name, provider->name)
			 : errmsg("invalid option \"%s\"", name),
			 choices.valid.len > 0
			 ? errdetail("Valid options in this context are: %s.", choices.valid.data)
			 : errdetail("There are no valid options in this context."),
			 hint ? errhint("%s", hint) : 0));
}

/*
 * pg_dump switches check_function_bodies off.  A dump may come from a version that took the
 * option, and is restored whole: of a server such an option has no effect, and a user mapping
 * that has it is refused at use.
 */
void
bi_option_check_names(List *given, Oid catalog, const BiProvider *provider)
{
	ListCell   *cell;

	foreach(cell, given)
	{
		const char *name = lfirst_node(DefElem, cell)->defname;
		bool		restored = !check_function_bodies && find_option(name, catalog);

		if (is_valid(name, catalog, provider))
			continue;
		if (!restored)
			refuse_option(ERROR, name, catalog, provider, NULL);
		else if (catalog == ForeignServerRelationId)
			refuse_option(WARNING, name, catalog, provider, "The option has no effect.");
		else
			refuse_option(WARNING, name, catalog, provider,
						  "The user mapping is not used before the option is dropped.");
	}
}

/* Checks what holds for every value, then what its option asks for. */
static void
check_value(const Option *option, const char *value)
{
	if (value[0] == '\0')
		refuse_value(option, "The value must not be empty.");
	if (strlen(value) > BI_SECRET_MAX)
		refuse_value(option, psprintf("The value must not be longer than %d bytes.",
									  BI_SECRET_MAX));
	for (const char *p = value; *p != '\0'; p++)
	{
		bool		is_control = (unsigned char) *p < ' ' || *p == 0x7f;

		if (is_control && !(option->may_have_lines && strchr("\t\r\n", *p)))
			refuse_value(option,
						 "The value must not have control characters or line breaks in it.");
	}
	option->check(option, value);
}

PG_FUNCTION_INFO_V1(batchinf_validator);

/* batchinf.validator(options text[], catalog oid): raises an error for what is wrong. */
Datum
batchinf_validator(PG_FUNCTION_ARGS)
{
	List	   *given = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	const BiProvider *provider = NULL;
	ListCell   *cell;

	if (catalog == ForeignServerRelationId)
		provider = bi_serving_provider(given);
	bi_option_check_names(given, catalog, provider);
	foreach(cell, given)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		check_value(find_option(def->defname, catalog), defGetString(def));
	}
	if (catalog == ForeignServerRelationId)
		bi_serving_check(given, provider);	/* not NULL: its value has been checked */
	else if (catalog == UserMappingRelationId)
		bi_mapping_check(given);
	PG_RETURN_VOID();
}
