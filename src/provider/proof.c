/*
 * provider/proof.c: JSON objects whose members are secrets: credentials, and what one step of a
 * login hands to the next.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/proof.h"

/* Returns the bytes that the object takes, with its final NUL. */
static size_t
object_size(const char *name, va_list members)
{
	size_t		size = 3;

	for (; name; name = va_arg(members, const char *))
	{
		const char *value = va_arg(members, const char *);

		size += value ? strlen(name) + bi_json_string_size(value) + 4 : 0;
	}
	return size;
}

/* Appends the members that have a text. */
static void
append_members(StringInfo out, const char *name, va_list members)
{
	for (; name; name = va_arg(members, const char *))
	{
		const char *value = va_arg(members, const char *);

		if (value == NULL)
			continue;
		appendStringInfo(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
		bi_json_append_string(out, value);
	}
}

char *
bi_proof_object(const char *name,...)
{
	StringInfoData out;
	va_list		members;

	initStringInfo(&out);
	/* Take all memory now: text that grows leaves copies behind, which nobody wipes. */
	va_start(members, name);
	enlargeStringInfo(&out, (int) object_size(name, members));
	va_end(members);
	appendStringInfoChar(&out, '{');
	va_start(members, name);
	append_members(&out, name, members);
	va_end(members);
	appendStringInfoChar(&out, '}');
	return out.data;
}
