/*
 * base/grapheme.c: which characters belong together as one grapheme cluster.
 *
 * Knows the rules of UAX #29 for extended grapheme clusters (GB3 to GB13 in comments below are
 * its names), and Unicode's table.  Knows no text and no encoding.
 */
#include "postgres.h"

#include "base/grapheme.h"
#include "base/grapheme_table.h"

#define HANGUL_FIRST 0xAC00
#define HANGUL_LAST 0xD7A3
#define HANGUL_TAILS 28			/* syllables with the same beginning: no tail, and each tail */

static BiGraphemeClass
ascii_class(uint32 code)
{
	if (code == '\r')
		return BI_GRAPHEME_CR;
	if (code == '\n')
		return BI_GRAPHEME_LF;
	return code < ' ' || code == 0x7F ? BI_GRAPHEME_CONTROL : BI_GRAPHEME_OTHER;
}

BiGraphemeClass
bi_grapheme_class(uint32 code)
{
	int			low = 0;
	int			high = lengthof(grapheme_ranges) - 1;

	if (code < 0x80)
		return ascii_class(code);
	if (code >= HANGUL_FIRST && code <= HANGUL_LAST)
		return (code - HANGUL_FIRST) % HANGUL_TAILS == 0 ? BI_GRAPHEME_LV : BI_GRAPHEME_LVT;
	while (low <= high)
	{
		int			middle = (low + high) / 2;

		if (code < grapheme_ranges[middle].first)
			high = middle - 1;
		else if (code > grapheme_ranges[middle].last)
			low = middle + 1;
		else
			return grapheme_ranges[middle].class;
	}
	return BI_GRAPHEME_OTHER;
}

static bool
is_control(BiGraphemeClass class)
{
	return class == BI_GRAPHEME_CR || class == BI_GRAPHEME_LF || class == BI_GRAPHEME_CONTROL;
}

static bool
is_extend(BiGraphemeClass class)
{
	return class == BI_GRAPHEME_EXTEND || class == BI_GRAPHEME_CONJUNCT ||
		class == BI_GRAPHEME_LINKER;
}

/* GB6 to GB8 */
static bool
joins_hangul(BiGraphemeClass last, BiGraphemeClass next)
{
	switch (last)
	{
		case BI_GRAPHEME_L:
			return next == BI_GRAPHEME_L || next == BI_GRAPHEME_V || next == BI_GRAPHEME_LV ||
				next == BI_GRAPHEME_LVT;
		case BI_GRAPHEME_V:
		case BI_GRAPHEME_LV:
			return next == BI_GRAPHEME_V || next == BI_GRAPHEME_T;
		case BI_GRAPHEME_T:
		case BI_GRAPHEME_LVT:
			return next == BI_GRAPHEME_T;
		default:
			return false;
	}
}

static bool
joins(const BiGrapheme *cluster, BiGraphemeClass next)
{
	if (is_control(cluster->last) || is_control(next))
		/* GB3 to GB5 */
		return cluster->last == BI_GRAPHEME_CR && next == BI_GRAPHEME_LF;
	/* GB9, GB9a, GB9b */
	if (is_extend(next) || next == BI_GRAPHEME_ZWJ || next == BI_GRAPHEME_SPACING ||
		cluster->last == BI_GRAPHEME_PREPEND)
		return true;
	/* GB9c, GB11, GB12 and GB13 */
	if ((next == BI_GRAPHEME_CONSONANT && cluster->linked) ||
		(next == BI_GRAPHEME_PICTURE && cluster->picture_zwj) ||
		(next == BI_GRAPHEME_FLAG && cluster->half_flag))
		return true;
	return joins_hangul(cluster->last, next);
}

static void
add(BiGrapheme *cluster, BiGraphemeClass next)
{
	bool		conjunct = next == BI_GRAPHEME_CONJUNCT || next == BI_GRAPHEME_LINKER ||
		next == BI_GRAPHEME_ZWJ;

	cluster->half_flag = next == BI_GRAPHEME_FLAG && !cluster->half_flag;
	cluster->picture_zwj = next == BI_GRAPHEME_ZWJ && cluster->picture;
	cluster->picture = next == BI_GRAPHEME_PICTURE || (is_extend(next) && cluster->picture);
	cluster->linked = cluster->consonant && conjunct &&
		(cluster->linked || next == BI_GRAPHEME_LINKER);
	cluster->consonant = next == BI_GRAPHEME_CONSONANT || (cluster->consonant && conjunct);
	cluster->last = next;
}

void
bi_grapheme_begin(BiGrapheme *cluster, uint32 code)
{
	memset(cluster, 0, sizeof(BiGrapheme));
	add(cluster, bi_grapheme_class(code));
}

bool
bi_grapheme_add(BiGrapheme *cluster, uint32 code)
{
	BiGraphemeClass next = bi_grapheme_class(code);

	if (!joins(cluster, next))
		return false;
	add(cluster, next);
	return true;
}
