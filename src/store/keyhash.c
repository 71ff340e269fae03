/*
 * store/keyhash.c: a hash of a row's key that is the same for keys that are equal.
 *
 * Each column is hashed by the hash operator class of its type, twice, with two seeds: 128 bits in
 * all, so that two keys of a table do not meet by chance.  Four details:
 *
 * - PostgreSQL folds integers and times of eight bytes to four before it hashes them.  Equal ones
 *   have equal bytes, so these are hashed instead.
 * - PostgreSQL's hash of jsonb is the same for null and [null].  So the text is hashed with it, but
 *   for the characters of numbers, which equal values may have in different ways: 1.0 and 1.00.
 * - No constraint of a domain is checked: it is code of whoever owns it, and would run as the user.
 *   So a value is read as the domain's base type, and one of a type that may have domains within
 *   (arrays, row types, ranges) is hashed by the text that is given.
 * - A type without such a class (bit, money) is hashed by its text.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "store/extract.h"
#include "store/keyhash.h"
#include "store/statement.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* Not 0: with it a hash has no more than the 32 bits of the older functions in some types. */
#define SEED_1 1
#define SEED_2 2

/* How values of one key column are hashed. */
typedef struct Part
{
	const BiTargetColumn *column;
	FmgrInfo	input;
	Oid			ioparam;
	int32		typmod;			/* -1: values are not cut or rounded */
	bool		by_bytes;
	bool		is_jsonb;
	bool		as_it_is;		/* by the text that is given */
	FmgrInfo   *hash;			/* NULL: by its text */
	FmgrInfo	output;			/* then, and of jsonb */
} Part;

struct BiKeyHash
{
	int			n;
	Part		parts[FLEXIBLE_ARRAY_MEMBER];
};

/* True if the type is made of others, which may be domains. */
static bool
is_made_of_others(Oid base)
{
	char		kind = get_typtype(base);

	return kind == TYPTYPE_COMPOSITE || kind == TYPTYPE_RANGE || kind == TYPTYPE_MULTIRANGE ||
		OidIsValid(get_element_type(base));
}

/* The types of PostgreSQL itself that have no hash (bit, money) have one text for each value. */
bool
bi_keyhash_is_exact(Oid type)
{
	Oid			base = getBaseType(type);

	if (is_made_of_others(base))
		return false;
	return base < FirstNormalObjectId ||
		OidIsValid(lookup_type_cache(base, TYPECACHE_HASH_EXTENDED_PROC)->hash_extended_proc);
}

static void
open_part(Part *part, const BiTargetColumn *column)
{
	int32		typmod = column->typmod;
	Oid			base = getBaseTypeAndTypmod(column->type, &typmod);
	TypeCacheEntry *type = lookup_type_cache(base, TYPECACHE_HASH_EXTENDED_PROC_FINFO);
	Oid			function;
	bool		is_varlena;

	part->column = column;
	part->typmod = typmod;
	part->as_it_is = is_made_of_others(base);
	getTypeInputInfo(base, &function, &part->ioparam);
	fmgr_info(function, &part->input);
	part->by_bytes = base == INT8OID || base == TIMESTAMPOID || base == TIMESTAMPTZOID ||
		base == TIMEOID;
	part->is_jsonb = base == JSONBOID;
	if (OidIsValid(type->hash_extended_proc))
		part->hash = &type->hash_extended_proc_finfo;
	getTypeOutputInfo(column->type, &function, &is_varlena);
	fmgr_info(function, &part->output);
}

BiKeyHash *
bi_keyhash_new(const BiTarget *target)
{
	int			n = list_length(target->keys);
	BiKeyHash  *keyhash = palloc0(offsetof(BiKeyHash, parts) + n * sizeof(Part));
	ListCell   *cell;

	foreach(cell, target->keys)
		open_part(&keyhash->parts[keyhash->n++], lfirst(cell));
	return keyhash;
}

/* Returns the value that the text means, as the write-back reads it. */
static Datum
read_value(Part *part, const char *text)
{
	StringInfoData json;

	if (!bi_statement_is_cast_key(part->column) || bi_extract_is_json(text))
		return InputFunctionCall(&part->input, unconstify(char *, text), part->ioparam,
								 part->typmod);
	initStringInfo(&json);
	escape_json(&json, text);
	return InputFunctionCall(&part->input, json.data, part->ioparam, part->typmod);
}

/* Drops the characters of numbers. */
static char *
without_numbers(char *text)
{
	char	   *to = text;

	for (const char *from = text; *from; from++)
		if (strchr("0123456789.eE+-", *from) == NULL)
			*to++ = *from;
	*to = '\0';
	return text;
}

static uint64
hash_text(const char *text, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) text, (int) strlen(text), seed);
}

static uint64
hash_value(Part *part, Datum value, uint64 seed)
{
	uint64		hash;

	if (part->by_bytes)
		return hash_bytes_extended((unsigned char *) &value, sizeof(Datum), seed);
	if (part->hash == NULL)
		return hash_text(OutputFunctionCall(&part->output, value), seed);
	hash = DatumGetUInt64(FunctionCall2Coll(part->hash, part->column->collation, value,
											UInt64GetDatum(seed)));
	if (part->is_jsonb)
		hash ^= hash_text(without_numbers(OutputFunctionCall(&part->output, value)), seed);
	return hash;
}

static void
key_context(void *arg)
{
	errcontext("key column \"%s\"", ((Part *) arg)->column->name);
}

void
bi_keyhash_set(BiKeyHash *keyhash, const char *record_id, const List *key, pg_uuid_t *hash)
{
	uint64		halves[2] = {0, 0};
	ErrorContextCallback context = {.previous = error_context_stack, .callback = key_context};

	StaticAssertStmt(sizeof(halves) == sizeof(hash->data), "a hash has 16 bytes");
	for (int i = 0; i < keyhash->n; i++)
	{
		Part	   *part = &keyhash->parts[i];
		Datum		value;

		const char *text = key ? list_nth(key, i) : record_id;

		if (part->as_it_is)
		{
			halves[0] = hash_combine64(halves[0], hash_text(text, SEED_1));
			halves[1] = hash_combine64(halves[1], hash_text(text, SEED_2));
			continue;
		}
		context.arg = part;
		error_context_stack = &context;
		value = read_value(part, text);
		halves[0] = hash_combine64(halves[0], hash_value(part, value, SEED_1));
		halves[1] = hash_combine64(halves[1], hash_value(part, value, SEED_2));
		error_context_stack = context.previous;
	}
	memcpy(hash->data, halves, sizeof(halves));
}
