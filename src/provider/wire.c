/*
 * provider/wire.c: URLs, bodies, times and foreign words, for all providers.
 *
 * Knows bytes and no API.
 */
#include "postgres.h"

#include "base/utf8.h"
#include "datatype/timestamp.h"
#include "provider/wire.h"
#include "utils/datetime.h"

#define ID_MAX 1024

char *
bi_wire_base_url(const BiServer *server, const char *otherwise)
{
	return bi_wire_trimmed(server->base_url ? server->base_url : otherwise);
}

char *
bi_wire_trimmed(const char *url)
{
	size_t		len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return pnstrdup(url, len);
}

void
bi_wire_append_escaped(StringInfo out, const char *text)
{
	for (; *text; text++)
	{
		unsigned char c = (unsigned char) *text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("-._~", c))
			appendStringInfoChar(out, c);
		else
			appendStringInfo(out, "%%%02X", c);
	}
}

void
bi_wire_append_path(StringInfo out, const char *text)
{
	for (;;)
	{
		size_t		len = strcspn(text, "/");

		bi_wire_append_escaped(out, pnstrdup(text, len));
		if (text[len] == '\0')
			return;
		appendStringInfoChar(out, '/');
		text += len + 1;
	}
}

void
bi_wire_append_field(StringInfo form, const char *name, const char *value)
{
	appendStringInfo(form, "%s%s=", form->len > 0 ? "&" : "", name);
	bi_wire_append_escaped(form, value);
}

char *
bi_wire_words(const char *text, size_t len, int limit)
{
	StringInfoData out;

	if (text == NULL)
		return NULL;
	initStringInfo(&out);
	while (len > 0)
	{
		size_t		size = bi_utf8_size(text, len);
		size_t		used = Max(size, 1);

		if (out.len + used > (size_t) limit)
			break;
		if (size == 0)
			appendStringInfoChar(&out, '?');
		else if ((unsigned char) *text < ' ' || *text == 0x7F)
			appendStringInfoChar(&out, ' ');
		else
			appendBinaryStringInfo(&out, text, (int) size);
		text += used;
		len -= used;
	}
	return out.data;
}

char *
bi_wire_json_words(const BiJson *json, int limit)
{
	size_t		len = 0;
	const char *text = bi_json_string(json, &len);

	if (text == NULL && (bi_json_type(json) == BI_JSON_INT || bi_json_type(json) == BI_JSON_DOUBLE))
	{
		text = bi_json_text(json);
		len = strlen(text);
	}
	return len > 0 ? bi_wire_words(text, len, limit) : NULL;
}

int64
bi_wire_time(const char *text)
{
	static const char shape[] = "0000-00-00T00:00:00";
	const char *rest = text + strlen(shape);
	int			part[6];

	for (int i = 0; shape[i]; i++)
	{
		if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
			return -1;
	}
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
		return -1;
	if (sscanf(text, "%d-%d-%dT%d:%d:%d", &part[0], &part[1], &part[2], &part[3], &part[4],
			   &part[5]) != lengthof(part) ||
		part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 ||
		part[4] > 59 || part[5] > 60)
		return -1;
	return (int64) (date2j(part[0], part[1], part[2]) - UNIX_EPOCH_JDATE) * SECS_PER_DAY +
		part[3] * SECS_PER_HOUR + part[4] * SECS_PER_MINUTE + part[5];
}

char *
bi_wire_id(const BiJson *id)
{
	char	   *text = bi_json_cstring(id);

	if (text == NULL || *text == '\0' || strlen(text) > ID_MAX || strcmp(text, ".") == 0 ||
		strcmp(text, "..") == 0)
		return NULL;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c >= 0x7F)
			return NULL;
	return text;
}

void
bi_wire_bearer(const char *secret, BiExchange *ex)
{
	char	   *value = psprintf("Bearer %s", secret);

	bi_exchange_add_header(ex, "Authorization", value);
	explicit_bzero(value, strlen(value));
	pfree(value);
}

char *
bi_wire_path(const char *before, const char *name, const char *after)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoString(&path, before);
	bi_wire_append_escaped(&path, name);
	appendStringInfoString(&path, after);
	return path.data;
}

bool
bi_wire_has_parameter(const char *url, const char *name, const char *value)
{
	char	   *wanted = bi_wire_path(psprintf("%s=", name), value, "");
	size_t		len = strlen(wanted);
	const char *at = url ? strchr(url, '?') : NULL;

	for (; at; at = strchr(at + 1, '&'))
		if (strncmp(at + 1, wanted, len) == 0 && (at[1 + len] == '\0' || at[1 + len] == '&'))
			return true;
	return false;
}

BiJson *
bi_wire_body(const BiExchange *ex)
{
	return bi_json_parse(ex->body.data, ex->body.len);
}

int64
bi_wire_count(const BiJson *json)
{
	int64		count = bi_json_int(json, -1);

	return count >= 0 && count <= PG_INT32_MAX ? count : -1;
}

/* Appends a member with a comma before it. */
static void
append_member(StringInfo out, const char *key, const BiJson *value)
{
	appendStringInfoChar(out, ',');
	bi_json_append_string(out, key);
	appendStringInfoChar(out, ':');
	bi_json_append(out, value);
}

void
bi_wire_append_members(StringInfo out, const BiJson *object, const char *except)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(object, &place, &key, &value))
		if (except == NULL || strcmp(key, except) != 0)
			append_member(out, key, value);
}

void
bi_wire_append_chosen(StringInfo out, const BiJson *object, bool (*is_one) (const char *name),
					  bool belong)
{
	void	   *place = NULL;
	const char *key;
	BiJson	   *value;

	while (bi_json_next(object, &place, &key, &value))
		if (is_one(key) == belong && bi_json_type(value) != BI_JSON_NULL)
			append_member(out, key, value);
}
