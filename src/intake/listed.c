/*
 * intake/listed.c: the list of arguments that batch_submit and its siblings share.
 *
 * All functions that begin with a query share one list of arguments: name, type and limit of each.
 *
 * Some arguments have their place already and are not built yet, because an argument that is
 * added later is a new function: its grants are lost and views block it.  Such an argument is
 * refused when it asks for something else than what is done without it.  A value that names what
 * is done without it (mode => 'batch') is taken.  In SQL the default of such an argument is
 * that value, or NULL where the documented default is not built yet: a release that builds it
 * changes the default, which needs no new function.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "intake/listed.h"

#define WORDS(...) ((const char *const[]) {__VA_ARGS__, NULL})

/*
 * The limits in bytes: a worker holds what is constant in a job several times for each of its
 * chunks that are under way.  With 100 MB of params that was 3 GB.  What differs by record is
 * limited by the size of a batch; response_schema has a limit of its own.
 */
const BiListed bi_listed[BI_ARG_COUNT] = {
	[BI_ARG_QUERY] = {"query", TEXTOID, 8 * 1024 * 1024},
	[BI_ARG_SERVER] = {"server", NAMEOID},
	[BI_ARG_PROMPT] = {"prompt", TEXTOID, 8 * 1024 * 1024},
	[BI_ARG_SYSTEM_PROMPT] = {"system_prompt", TEXTOID, 8 * 1024 * 1024},
	[BI_ARG_MODEL] = {"model", TEXTOID, 1024},
	[BI_ARG_TASK] = {"task", TEXTOID, 1024, WORDS("chat", "embedding"), NULL, "chat"},
	[BI_ARG_KEY] = {"key", TEXTOID, 128 * 1024},
	[BI_ARG_TARGET] = {"target", REGCLASSOID},
	[BI_ARG_WRITE_BACK] = {"write_back", JSONBOID, 1024 * 1024},
	[BI_ARG_RESPONSE_SCHEMA] = {"response_schema", BI_BATCH_JSON},
	[BI_ARG_PARAMS] = {"params", BI_BATCH_JSON, 1024 * 1024},
	[BI_ARG_NAME] = {"name", TEXTOID, 64 * 1024},
	[BI_ARG_DEADLINE] = {"deadline", INTERVALOID},
	[BI_ARG_MAX_ATTEMPTS] = {"max_attempts", INT4OID, 0, NULL, NULL, "3"},
	[BI_ARG_MAX_FAILURE_RATE] = {"max_failure_rate", NUMERICOID},
	[BI_ARG_WRITE_IF] = {"write_if", TEXTOID, 1024, WORDS("unchanged", "null", "always"), NULL,
	"unchanged"},
	[BI_ARG_IN_FLIGHT] = {"in_flight", TEXTOID, 1024, WORDS("skip", "error", "send"), NULL, "skip"},
	[BI_ARG_IDEMPOTENCY_KEY] = {"idempotency_key", TEXTOID, 1024},
	[BI_ARG_START_AFTER] = {"start_after", TIMESTAMPTZOID},
	[BI_ARG_SUBMIT_WINDOW] = {"submit_window", TEXTOID, 1024},
	[BI_ARG_RETRY_FOR] = {"retry_for", INTERVALOID},
	[BI_ARG_WRITE_MODE] = {"write_mode", TEXTOID, 1024,
	WORDS("update", "insert", "upsert", "replace"), NULL, "update"},
	[BI_ARG_CONFLICT] = {"conflict", TEXTOID, 128 * 1024},
	[BI_ARG_REPLACE_BY] = {"replace_by", TEXTOID, 128 * 1024},
	[BI_ARG_EACH] = {"each", TEXTOID, 64 * 1024},
	[BI_ARG_KEEP] = {"keep", INTERVALOID},
	[BI_ARG_MAX_COST] = {"max_cost", NUMERICOID},
	[BI_ARG_DEDUP] = {"dedup", BOOLOID},
	[BI_ARG_CACHE] = {"cache", INTERVALOID},
	[BI_ARG_MODE] = {"mode", TEXTOID, 1024, WORDS("batch", "flex", "realtime", "auto"),
	"all records are sent in batches", "batch"},
	[BI_ARG_LEFT_OVER] = {"left_over", TEXTOID, 1024, WORDS("stop", "flex", "realtime"),
	"records that batches cannot finish end as they are", "stop"},
	[BI_ARG_PILOT] = {"pilot", INT4OID, 0, NULL,
	"all records are sent at once"},
	[BI_ARG_PILOT_GATE] = {"pilot_gate", TEXTOID, 64 * 1024, NULL,
	"all records are sent at once"},
	[BI_ARG_CASCADE] = {"cascade", BI_BATCH_JSON, 1024 * 1024, NULL,
	"all records are answered by one model"},
	[BI_ARG_REASK] = {"reask", INT4OID, 0, NULL,
	"an output that does not match its schema is \"invalid_output\"", "0"},
	[BI_ARG_SCHEMA_FROM_TARGET] = {"schema_from_target", BOOLOID, 0, NULL,
	"a schema comes from the argument \"response_schema\" only", "f"},
};
