/*
 * provider/frame.c: request lines from a frame.
 *
 * Knows JSON's rules for strings and white space, no API.  Called for every record:
 * by submit for its size, by the engine for its bytes; the two must agree.
 */
#include "postgres.h"

#include "base/json.h"
#include "provider/frame.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The input of a slot that takes it as it is: without white space at its ends and, for
 * ELEMENTS, the brackets and what space they enclose. */
static const char *
trim_input(BiSlot slot, const char *input, size_t *len)
{
	*len = strlen(input);
	for (int rounds = slot == BI_SLOT_ELEMENTS ? 2 : 1; rounds > 0; rounds--)
	{
		while (*len > 0 && is_space(input[*len - 1]))
			(*len)--;
		while (*len > 0 && is_space(*input))
		{
			input++;
			(*len)--;
		}
		if (rounds == 2 && *len >= 2)
		{
			input++;
			*len -= 2;
		}
	}
	return input;
}

/* Appends JSON on one line: in JSON a line break is only space, in a file of lines it is the
 * end. */
static void
append_json(StringInfo out, const char *json, size_t len)
{
	int			start = out->len;

	appendBinaryStringInfo(out, json, (int) len);
	for (int i = start; i < out->len; i++)
		if (out->data[i] == '\n' || out->data[i] == '\r')
			out->data[i] = ' ';
}

void
bi_frame_append(StringInfo out, const BiFrame *frame, const char *custom_id, const char *input)
{
	size_t		len;
	const char *trimmed;

	for (int i = 0; i < frame->nparts; i++)
	{
		appendStringInfoString(out, frame->part[i].text);
		switch (frame->part[i].slot)
		{
			case BI_SLOT_NONE:
				break;
			case BI_SLOT_ID:
				appendStringInfoString(out, custom_id);
				break;
			case BI_SLOT_TEXT:
				bi_json_append_string(out, input);
				break;
			case BI_SLOT_JSON:
			case BI_SLOT_ELEMENTS:
				trimmed = trim_input(frame->part[i].slot, input, &len);
				append_json(out, trimmed, len);
				break;
		}
	}
	if (frame->separator == NULL)
		appendStringInfoChar(out, '\n');
}

void
bi_frame_make_body(BiFrame *frame, StringInfo head, BiSlot slot, StringInfo tail)
{
	frame->nparts = 2;
	frame->separator = "";
	frame->part[0] = (BiFramePart) {head->data, slot};
	frame->part[1] = (BiFramePart) {tail->data, BI_SLOT_NONE};
}

int64
bi_frame_size(const BiFrame *frame, int id_len, const char *input)
{
	int64		size = frame->separator ? strlen(frame->separator) : 1;
	size_t		len;

	for (int i = 0; i < frame->nparts; i++)
	{
		size += strlen(frame->part[i].text);
		switch (frame->part[i].slot)
		{
			case BI_SLOT_NONE:
				break;
			case BI_SLOT_ID:
				size += id_len;
				break;
			case BI_SLOT_TEXT:
				size += bi_json_string_size(input);
				break;
			case BI_SLOT_JSON:
			case BI_SLOT_ELEMENTS:
				trim_input(frame->part[i].slot, input, &len);
				size += len;
				break;
		}
	}
	return size;
}
