/*
 * base/guc.c: the settings of the extension, the only DefineCustom.
 *
 * Knows names, defaults and who may set what, and not what a setting is for.  An ordinary user can
 * set none of them.  What the launcher reads comes from the configuration file (SIGHUP).  A
 * superuser may also set the others in a session, where batch_work and batch_check obey them.
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "utils/guc.h"

#include "base/guc.h"

/* Digits that an amount has at most. */
#define MAX_AMOUNT 30

bool		bi_guc_enabled = true;
int			bi_guc_max_visits = 4;
int			bi_guc_max_visits_per_database = 2;
int			bi_guc_connect_timeout = 10 * 1000;
int			bi_guc_stall_timeout = 60 * 1000;
int			bi_guc_settle_time = 20 * 1000;
int			bi_guc_write_timeout = 30 * 1000;
int			bi_guc_write_give_up = 3 * 24 * 60 * 60;
int			bi_guc_max_result_size = 0;
int			bi_guc_sweep_interval = 60 * 60;
int			bi_guc_keep_inputs = 30 * 24 * 60 * 60;
int			bi_guc_keep_results = -1;
int			bi_guc_keep_spend = 40 * 24 * 60 * 60;
char	   *bi_guc_proxy = NULL;
char	   *bi_guc_ca_file = NULL;
char	   *bi_guc_allowed_http_hosts = NULL;
char	   *bi_guc_carry_settings = NULL;
char	   *bi_guc_max_job_cost = NULL;

static void
define_worker(void)
{
	DefineCustomBoolVariable("batchinf.enabled",
							 "Starts visits of databases where batch work is due.",
							 NULL,
							 &bi_guc_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.max_visits",
							"Sets the maximum number of visits, of all databases, at the same"
							" time.",
							"Each visit takes one of max_worker_processes.",
							&bi_guc_max_visits, 4, 1, 1000,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.max_visits_per_database",
							"Sets the maximum number of visits of one database at the same time.",
							"A further visit comes if the others cannot keep up or do not go on.",
							&bi_guc_max_visits_per_database, 2, 1, BI_GUC_DATABASE_VISITS,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.sweep_interval",
							"Sets the time after which every database is visited, whether work"
							" is known to be due or not.",
							NULL,
							&bi_guc_sweep_interval, 60 * 60, 1, INT_MAX / 1000,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
}

static void
define_bounds(void)
{
	DefineCustomIntVariable("batchinf.connect_timeout",
							"Sets the maximum time to wait for a connection to a provider.",
							NULL,
							&bi_guc_connect_timeout, 10 * 1000, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.stall_timeout",
							"Sets the maximum time without a byte moving, after which a transfer"
							" is given up.",
							"A whole reply may take this time and connect_timeout. Requests of"
							" more than 64 kB and downloads of results must move 1 kB a second on"
							" average in each stall_timeout.",
							&bi_guc_stall_timeout, 60 * 1000, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.settle_time",
							"Sets the time for which a provider may still be busy with a call"
							" whose reply was lost.",
							"Only after it does not finding the batch mean that there is none.",
							&bi_guc_settle_time, 20 * 1000, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.max_result_size",
							"Sets the maximum size of the results of one chunk, all files"
							" together and unpacked.",
							"0: 64 MB, 1 MB for each record and four times the size of the"
							" requests.",
							&bi_guc_max_result_size, 0, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.write_timeout",
							"Sets the maximum time for which a transaction that writes back runs"
							" code of the target's owner.",
							"What takes longer waits, as for a lock, and is tried again.",
							&bi_guc_write_timeout, 30 * 1000, 1000, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.write_give_up",
							"Sets the time for which an answer that cannot be written or saved"
							" for a reason that may pass is tried again.",
							"Afterwards its row is write_failed; batch_rewrite() brings it back.",
							&bi_guc_write_give_up, 3 * 24 * 60 * 60, 1, INT_MAX / 1000,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

static void
define_keep(void)
{
	DefineCustomIntVariable("batchinf.keep_inputs",
							"Sets the time after the end of a job for which its inputs stay.",
							"Errors and events go with the first of inputs and results."
							" -1: for ever.",
							&bi_guc_keep_inputs, 30 * 24 * 60 * 60, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.keep_results",
							"Sets the time after the end of a job for which its outputs stay.",
							"-1: for ever.",
							&bi_guc_keep_results, -1, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("batchinf.keep_spend",
							"Sets the time after which rows of the ledger become one row a day.",
							"-1: never.",
							&bi_guc_keep_spend, 40 * 24 * 60 * 60, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

static void
define_network(void)
{
	DefineCustomStringVariable("batchinf.proxy",
							   "Sets the proxy for requests to providers.",
							   "Empty: none is used, whatever the environment of the server says.",
							   &bi_guc_proxy, "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("batchinf.ca_file",
							   "Sets the file of certificate authorities that providers are"
							   " verified with.",
							   "Empty: those of the operating system.",
							   &bi_guc_ca_file, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("batchinf.allowed_http_hosts",
							   "Lists the hosts that any server may reach by plain http and at"
							   " private addresses.",
							   "Servers of superusers need no entry here.",
							   &bi_guc_allowed_http_hosts, "",
							   PGC_SUSET, GUC_LIST_INPUT, NULL, NULL, NULL);
}

/* Removes the spaces at both ends of [*text, *text + *len). */
static void
trim(const char **text, size_t *len)
{
	while (*len > 0 && isspace((unsigned char) (*text)[0]))
		(*text)++, (*len)--;
	while (*len > 0 && isspace((unsigned char) (*text)[*len - 1]))
		(*len)--;
}

static void
without_brackets(const char **text, size_t *len)
{
	if (*len >= 2 && (*text)[0] == '[' && (*text)[*len - 1] == ']')
	{
		(*text)++;
		*len -= 2;
	}
}

/* Takes the first entry of *list, without the spaces around it, and advances *list behind it.
 * False at the end.  Entries are separated by commas. */
static bool
next_entry(const char **list, const char **entry, size_t *len)
{
	if (*list == NULL)
		return false;
	*entry = *list;
	*len = strcspn(*entry, ",");
	*list = (*entry)[*len] == ',' ? *entry + *len + 1 : NULL;
	trim(entry, len);
	return true;
}

static bool
is_same_letter(char a, char b)
{
	return pg_ascii_tolower((unsigned char) a) == pg_ascii_tolower((unsigned char) b);
}

/* True if the name matches the pattern.  In it * means any number of characters; case does not
 * matter. */
static bool
matches(const char *pattern, size_t len, const char *name)
{
	const char *end = pattern + len;
	const char *star = NULL;	/* the last * met, and what it has taken so far */
	const char *taken = NULL;

	while (*name != '\0')
	{
		if (pattern < end && *pattern == '*')
		{
			star = pattern++;
			taken = name;
		}
		else if (pattern < end && is_same_letter(*pattern, *name))
		{
			pattern++;
			name++;
		}
		else if (star != NULL)
		{
			pattern = star + 1;
			name = ++taken;
		}
		else
			return false;
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

/* True if the entry could match a name. */
static bool
is_pattern(const char *entry, size_t len)
{
	static const char letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$.*";

	for (size_t i = len > 0 && *entry == '!' ? 1 : 0; i < len; i++)
		if (!IS_HIGHBIT_SET(entry[i]) && strchr(letters, entry[i]) == NULL)
			return false;
	return true;
}

static bool
check_carry(char **value, void **extra, GucSource source)
{
	const char *list = *value;
	const char *entry;
	size_t		len;

	while (next_entry(&list, &entry, &len))
	{
		if (is_pattern(entry, len))
			continue;
		GUC_check_errdetail("\"%.*s\" is no pattern of names.", (int) Min(len, 100), entry);
		GUC_check_errhint("In a pattern * is any number of characters; a ! before it leaves out.");
		return false;
	}
	return true;
}

static void
define_carry(void)
{
	DefineCustomStringVariable("batchinf.carry_settings",
							   "Lists the custom settings that a job takes from its submit to"
							   " its write-back.",
							   "Patterns with *, separated by commas; what one that begins with"
							   " ! matches is left out.",
							   &bi_guc_carry_settings,
							   "*, !request.headers, !request.cookies, !request.header.*,"
							   " !request.cookie.*",
							   PGC_SUSET, GUC_LIST_INPUT, check_carry, NULL, NULL);
}

/* Amounts are never read as binary floating-point numbers. */
static bool
check_amount(char **value, void **extra, GucSource source)
{
	const char *digits = "0123456789";
	size_t		length = strlen(*value);
	size_t		whole = strspn(*value, digits);
	const char *rest = *value + whole;
	size_t		places = *rest == '.' ? strspn(rest + 1, digits) : 0;

	if (length == 0)
		return true;
	if (whole > 0 && length <= MAX_AMOUNT &&
		(*rest == '\0' || (places > 0 && rest[1 + places] == '\0')))
		return true;
	GUC_check_errdetail("It must be an amount in US dollars, for example 50 or 12.50, or empty.");
	return false;
}

static void
define_money(void)
{
	DefineCustomStringVariable("batchinf.max_job_cost",
							   "Sets the max_cost of jobs that name none, in US dollars.",
							   "Empty: nothing limits them.",
							   &bi_guc_max_job_cost, "",
							   PGC_SUSET, 0, check_amount, NULL, NULL);
}

void
bi_guc_define(void)
{
	define_worker();
	define_bounds();
	define_keep();
	define_network();
	define_carry();
	define_money();
	MarkGUCPrefixReserved("batchinf");
}

bool
bi_guc_http_host_allowed(const char *host)
{
	const char *next = bi_guc_allowed_http_hosts;
	const char *entry;
	size_t		host_len = strlen(host);
	size_t		len;

	trim(&host, &host_len);
	without_brackets(&host, &host_len);
	while (host_len > 0 && next_entry(&next, &entry, &len))
	{
		without_brackets(&entry, &len);
		if (len == host_len && pg_strncasecmp(entry, host, len) == 0)
			return true;
	}
	return false;
}

bool
bi_guc_carries(const char *name)
{
	const char *next = bi_guc_carry_settings;
	const char *entry;
	size_t		len;
	bool		carried = false;

	while (next_entry(&next, &entry, &len))
	{
		if (len > 0 && *entry == '!' && matches(entry + 1, len - 1, name))
			return false;
		carried = carried || matches(entry, len, name);
	}
	return carried;
}
