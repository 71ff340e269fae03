/*
 * engine/results/reader.c: reads lines of results files as results of records.
 *
 * The provider's routine says what a line means, match.c whose it is, accept.c what of it can be
 * stored.  A file may hold anything: each line becomes a result or a count, never an error.
 * Memory: one line, and the group of results that it is read into, with second answers.
 */
#include "postgres.h"

#include "base/utf8.h"
#include "engine/results/reader.h"
#include "utils/memutils.h"

/* A longer line cannot be read; its beginning may tell whose it is. */
#define LINE_MAX_BYTES (64 * 1024 * 1024)

void
bi_reader_begin(BiReader *reader, const BiStep *step, List *spools, BiWorkspace *space,
				const BiAccept *accept)
{
	memset(reader, 0, sizeof(BiReader));
	reader->step = step;
	reader->spools = spools;
	reader->space = space;
	reader->accept = accept;
	bi_match_begin(&reader->match, step->chunk);
}

/* True if bytes got lost that the answer needs.  A success whose output is whole needs none of
 * them. */
static bool
is_damaged(const BiResultLine *line)
{
	if (line->state == BI_LINE_REPAIRED && line->answer.outcome == BI_OUTCOME_SUCCEEDED)
		return strstr(line->answer.output, BI_UTF8_REPLACEMENT) != NULL;
	return line->state != BI_LINE_WHOLE;
}

/*
 * Reads the text of a line without the secrets that it quotes.  They are overwritten before it
 * is read, because the provider's routines cut long words: half a secret would not be found any
 * more.  Whose it is, is read from the text as it came: a request that is repeated with a part
 * overwritten would not be found.
 */
static void
read_text(const BiStep *step, const char *text, size_t len, BiResultLine *line)
{
	const char *clean = bi_blot_text(step->blot, text, len);
	BiResultLine blotted;

	step->provider->batch->read_line(&step->call, text, len, line);
	if (clean == text)
		return;
	step->provider->batch->read_line(&step->call, clean, len, &blotted);
	/* A secret that looks like JSON may have been a part of the line's own syntax. */
	if (blotted.custom_id || blotted.fingerprint)
	{
		blotted.custom_id = line->custom_id;
		blotted.fingerprint = line->fingerprint;
		blotted.channel = line->channel;
	}
	*line = blotted;
}

/* Keeps what is left of a line that cannot be read, for people to look at. */
static void
keep_remains(const BiStep *step, const char *text, size_t len, BiAnswer *answer)
{
	answer->output = bi_utf8_repair(bi_blot_text(step->blot, text, len), len, BI_ACCEPT_CUT,
									&answer->output_len);
}

/* Sets the seq of the line's record, and notes that it has an answer.  Returns false, and counts
 * the line, if there is no such record, or if the record has an answer already.  A second answer
 * whose tokens are known does not belong to the record, but counts for what was paid. */
static bool
find_record(BiReader *reader, const BiResultLine *line, BiResult *result)
{
	switch (bi_match_line(&reader->match, line, &result->seq))
	{
		case BI_MATCH_FOUND:
			return true;
		case BI_MATCH_DUPLICATE:
			reader->counts.duplicates++;
			result->is_second = result->seq > 0 && line->answer.input_tokens >= 0 &&
				!reader->salvaging;
			return result->is_second;
		case BI_MATCH_UNKNOWN:
			reader->counts.unknown++;
			break;
	}
	return false;
}

/* Counts a line that makes no result in this pass.  Returns true if it may make one. */
static bool
is_for_this_pass(BiReader *reader, const BiResultLine *line, bool damaged)
{
	BiLineCounts *counts = &reader->counts;

	if (line->custom_id == NULL && line->fingerprint == NULL)
	{
		counts->malformed += reader->salvaging ? 0 : 1;
		return false;
	}
	if (damaged == reader->salvaging)
		return true;
	counts->damaged += damaged ? 1 : 0;
	return false;
}

/* Makes a result of a line, in the current context.  Returns false if there is none, or if the
 * line must wait for the join: then it is pending. */
static bool
read_result(BiReader *reader, const char *text, size_t len, BiResult *result)
{
	BiResultLine line;
	bool		damaged;

	read_text(reader->step, text, len, &line);
	damaged = is_damaged(&line);
	if (!is_for_this_pass(reader, &line, damaged))
		return false;
	if (bi_match_needs_join(&reader->match, &line))
	{
		reader->pending = text;
		reader->pending_len = len;
		return false;
	}
	reader->counts.repaired += line.state == BI_LINE_REPAIRED && !damaged ? 1 : 0;
	if (!find_record(reader, &line, result))
		return false;
	result->answer = line.answer;
	if (line.state == BI_LINE_UNREADABLE)
		keep_remains(reader->step, text, len, &result->answer);
	bi_accept_answer(reader->accept, &result->answer, damaged);
	return true;
}

/* Finds the next line of any part, or the beginning of one that is too long.  Returns false
 * after the last. */
static bool
next_line(BiReader *reader, const char **line, size_t *len)
{
	if (reader->pending)
	{
		*line = reader->pending;
		*len = reader->pending_len;
		reader->pending = NULL;
		return true;
	}
	while (!bi_reader_is_at_end(reader))
	{
		if (reader->lines == NULL)
			reader->lines = bi_lines_open(list_nth(reader->spools, reader->part), LINE_MAX_BYTES);
		if (bi_lines_next(reader->lines, line, len))
		{
			if (*line == NULL)
				*line = bi_lines_head(reader->lines, len);
			return true;
		}
		reader->lines = NULL;
		reader->part++;
	}
	return false;
}

bool
bi_reader_awaits_join(const BiReader *reader)
{
	return reader->pending != NULL;
}

bool
bi_reader_is_at_end(const BiReader *reader)
{
	return reader->part >= list_length(reader->spools);
}

void
bi_reader_salvage(BiReader *reader)
{
	reader->salvaging = true;
	reader->part = 0;
	reader->lines = NULL;
}

/* True for nothing but white space, and perhaps a byte order mark. */
static bool
is_blank(const char *line, size_t len)
{
	size_t		mark = strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

	return mark + strspn(line + mark, " \t\r\n\v\f") == len;
}

static char *
copy(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

/* Copies the texts of an answer, which has no NULs any more, to the current context. */
static void
copy_texts(BiAnswer *answer)
{
	answer->output = copy(answer->output);
	answer->reasoning = copy(answer->reasoning);
	answer->finish_reason = copy(answer->finish_reason);
	answer->model = copy(answer->model);
	answer->error_code = copy(answer->error_code);
	answer->error = copy(answer->error);
	answer->request_id = copy(answer->request_id);
}

/* Does read_result in a context of the line's own, so that the line's tree goes at once. */
static bool
read_line(BiReader *reader, const char *line, size_t len, BiResult *result)
{
	MemoryContext old = MemoryContextSwitchTo(reader->space->line_cxt);
	bool		found;

	memset(result, 0, sizeof(BiResult));
	found = read_result(reader, line, len, result);
	MemoryContextSwitchTo(old);
	if (found)
		copy_texts(&result->answer);
	MemoryContextReset(reader->space->line_cxt);
	return found;
}

/* Takes a second answer out of the results: it does not change the record. */
static void
put_aside(BiReader *reader, const BiResult *result)
{
	reader->seconds = lappend(reader->seconds,
							  memcpy(palloc(sizeof(BiResult)), result, sizeof(BiResult)));
}

int
bi_reader_read(BiReader *reader, BiResult *results)
{
	const char *line;
	size_t		len;
	size_t		bytes = 0;
	int			n = 0;

	reader->seconds = NIL;
	do
	{
		MemoryContext old = MemoryContextSwitchTo(reader->step->cxt);
		bool		more = next_line(reader, &line, &len);

		MemoryContextSwitchTo(old);
		if (!more)
			break;
		if (is_blank(line, len))
			continue;
		if (read_line(reader, line, len, &results[n]) && !results[n].is_second)
			n++;
		else if (results[n].is_second)
			put_aside(reader, &results[n]);
		if (bi_reader_awaits_join(reader))
			break;
		reader->counts.lines += reader->salvaging ? 0 : 1;
		bytes += len;
	} while (n < BI_WORKSPACE_GROUP && bytes < BI_WORKSPACE_GROUP_BYTES &&
			 !bi_workspace_is_over(reader->space));
	return n;
}
