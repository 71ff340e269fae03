/*
 * engine/results/match.c: finds the record that a line of a results file answers.
 *
 * By its custom id, or else by what it answers (join.c), never by its place in the file.  A
 * record is answered once in a delivery: the first line counts.  That a found record is one of
 * the chunk is not known here; bi_result_lookup tells.
 */
#include "postgres.h"

#include "engine/results/match.h"
#include "engine/results/render.h"
#include "store/record.h"

void
bi_match_begin(BiMatch *match, const BiChunk *chunk)
{
	memset(match, 0, sizeof(BiMatch));
	match->chunk = chunk;
	bi_record_bounds(chunk, &match->first_seq, &match->last_seq);
	/* A bit behind the last record makes the set as large as it will ever be.  Otherwise it
	 * would grow later, in a context that is reset. */
	match->seen = bms_make_singleton((int) (match->last_seq - match->first_seq) + 1);
}

static bool
is_seen(const BiMatch *match, int64 seq)
{
	return bms_is_member((int) (seq - match->first_seq), match->seen);
}

static void
count_channel(BiMatch *match, const char *name)
{
	for (int i = 0; name && i < BI_CHANNELS; i++)
	{
		BiChannel  *channel = &match->channels[i];

		if (channel->name && strcmp(channel->name, name) != 0)
			continue;
		channel->name = name;
		channel->answers++;
		return;
	}
}

/* Finds a request like the one that the line answers, and that has no answer yet. */
static BiMatchKind
find_like(BiMatch *match, const char *fingerprint, int64 *seq)
{
	bool		is_known;

	do
		*seq = bi_join_take(match->join, fingerprint, &is_known);
	while (*seq != 0 && is_seen(match, *seq));
	if (*seq != 0)
		return BI_MATCH_FOUND;
	return is_known ? BI_MATCH_DUPLICATE : BI_MATCH_UNKNOWN;
}

static BiMatchKind
find_named(const BiMatch *match, const char *custom_id, int64 *seq)
{
	*seq = bi_render_parse_id(match->chunk, custom_id);
	if (*seq == 0 || *seq < match->first_seq || *seq > match->last_seq)
		return BI_MATCH_UNKNOWN;
	return is_seen(match, *seq) ? BI_MATCH_DUPLICATE : BI_MATCH_FOUND;
}

bool
bi_match_needs_join(const BiMatch *match, const BiResultLine *line)
{
	return line->custom_id == NULL && match->join == NULL;
}

BiMatchKind
bi_match_line(BiMatch *match, const BiResultLine *line, int64 *seq)
{
	BiMatchKind kind = line->custom_id
		? find_named(match, line->custom_id, seq)
		: find_like(match, line->fingerprint, seq);

	if (kind != BI_MATCH_FOUND)
		return kind;
	match->seen = bms_add_member(match->seen, (int) (*seq - match->first_seq));
	count_channel(match, line->channel);
	return kind;
}

int64
bi_match_answered(const BiMatch *match)
{
	return bms_num_members(match->seen) - 1;
}
