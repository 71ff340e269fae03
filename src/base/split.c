/*
 * base/split.c: a text in pieces that are small enough for a model, cut where it hurts least.
 *
 * Knows levels of borders and how pieces are chosen.  What a character means is repertoire.c's,
 * what belongs together as one character to a reader is grapheme.c's.
 *
 * A text is a row of grapheme clusters.  Some are white space, the others are content.  Between two
 * clusters of content, and the white space between them, is a gap.  Each gap has a level: the
 * highest that its white space and the content before it allow.
 *
 *     grapheme  <  word  <  sentence  <  line  <  paragraph  <  end of the text
 *
 * A piece ends at a gap of the highest level that is within reach, size characters from its
 * beginning; of several, at the last one.  That is what a recursive splitter does: it takes as many
 * whole paragraphs as fit, and looks into a paragraph only if not even one fits.
 *
 * With an overlap the next piece begins earlier than the content that is new in it.  The end is
 * chosen first as without an overlap.  If the last piece ended at a paragraph, and the next
 * paragraph is within reach, it must stay so: an overlap never tears what fits without it.  So does
 * a line behind a line, and so on.  Then the beginning is moved back, by overlap characters at
 * most, and only so far.  It is at a word, or anywhere in a text without white space.
 *
 * Cost.  Each search reads at most size characters, the white space behind them up to LOOK_AHEAD,
 * and no cluster farther than that.  A piece that is much shorter than size ends at a gap of a
 * level that does not come again within reach, so there are few of them in a row.  The time grows
 * as the text and the overlaps do.  Nothing is remembered but two places.
 */
#include "postgres.h"

#include "base/grapheme.h"
#include "base/split.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

/* White space behind a piece is looked at that far, in characters.  What begins a paragraph farther
 * away is not seen: the gap then counts as what it is until there. */
#define LOOK_AHEAD 64

/* No cluster or white space reaches there. */
#define NO_LIMIT (PG_INT64_MAX / 2)

typedef enum Level
{
	LEVEL_GRAPHEME,
	LEVEL_WORD,
	LEVEL_SENTENCE,
	LEVEL_LINE,
	LEVEL_PARAGRAPH,
	LEVEL_END
} Level;

/* A way through the text from gap to gap.  Local to one search. */
typedef struct Walk
{
	BiSplitPlace place;			/* the next content, or as far as was looked */
	int			stop;			/* the BI_MARK that has ended the sentence here, else 0 */
	BiSplitPlace end;			/* of the content before the last gap */
	Level		level;			/* of the last gap */
} Walk;

/* The best gaps within reach. */
typedef struct Choice
{
	Level		level;
	BiSplitPlace last;			/* the last of that level */
	BiSplitPlace first;			/* the first of that level or of that of the last piece's end */
} Choice;

static uint32
read_code(const BiSplit *split, const BiSplitPlace *place, int *size)
{
	return bi_repertoire_read(split->repertoire, split->text + place->byte,
							  split->len - place->byte, size);
}

static void
pass_character(BiSplitPlace *place, int size)
{
	place->byte += size;
	place->at++;
}

/* True if the character of ASCII before place is a cluster: ASCII follows, or nothing. */
static bool
is_plain(const BiSplit *split, const BiSplitPlace *place, uint32 code)
{
	return code >= ' ' && code < 0x7F &&
		(place->byte == split->len || (unsigned char) split->text[place->byte] < 0x80);
}

/* Goes behind the cluster at place.  *code is its first character.  False if it ends behind limit
 * characters of the text: place is somewhere in it then. */
static bool
pass_cluster(const BiSplit *split, BiSplitPlace *place, int64 limit, uint32 *code)
{
	BiGrapheme	cluster;
	int			size;

	if (place->byte >= split->len)
		return false;
	*code = read_code(split, place, &size);
	pass_character(place, size);
	if (is_plain(split, place, *code))
		return place->at <= limit;
	bi_grapheme_begin(&cluster, *code);
	while (place->at <= limit && place->byte < split->len &&
		   bi_grapheme_add(&cluster, read_code(split, place, &size)))
	{
		pass_character(place, size);
		CHECK_FOR_INTERRUPTS();
	}
	return place->at <= limit;
}

/* Returns the mark of the white space at place, which is a cluster of its own, and goes behind it;
 * 0 if there is content. */
static int
pass_blank(const BiSplit *split, BiSplitPlace *place)
{
	BiSplitPlace next = *place;
	int			size;
	uint32		code = read_code(split, place, &size);
	int			mark = bi_repertoire_mark(code);

	if ((mark & BI_MARK_SPACE) == 0)
		return 0;
	/* CR LF is white space of two characters; what has accents is content. */
	if (!pass_cluster(split, &next, place->at + 2, &code) ||
		(next.at > place->at + 1 && code != '\r'))
		return 0;
	*place = next;
	return mark;
}

/* Goes behind the white space at place, and not behind limit.  Returns all its marks; *lines is how
 * many lines end in it. */
static int
pass_blanks(const BiSplit *split, BiSplitPlace *place, int64 limit, int *lines)
{
	int			marks = 0;

	*lines = 0;
	while (place->at < limit && place->byte < split->len)
	{
		int			mark = pass_blank(split, place);

		CHECK_FOR_INTERRUPTS();
		if (mark == 0)
			break;
		if (mark & BI_MARK_LINE)
			(*lines)++;
		/* one that can be broken at is enough */
		marks |= mark & BI_MARK_FIXED ? mark : mark | BI_MARK_BREAK;
	}
	return marks;
}

/* Returns the mark that ends the sentence behind content that begins with mark, or 0; stop is the
 * one before that content. */
static int
follow_stop(int stop, int mark)
{
	if (mark & (BI_MARK_STOP | BI_MARK_FULL_STOP))
		return mark;
	/* Behind a full stop that needs no white space, a quote of both kinds opens. */
	if (stop == BI_MARK_FULL_STOP && mark & BI_MARK_OPENER)
		return 0;
	return mark & BI_MARK_CLOSER ? stop : 0;
}

/* True if the sentence that stop ends goes on with the content at place. */
static bool
goes_on(const BiSplit *split, const BiSplitPlace *place, int stop)
{
	int			size;

	return follow_stop(stop, bi_repertoire_mark(read_code(split, place, &size))) != 0;
}

/* Returns the level of the gap between content that begins with the mark, and the walk's place. */
static Level
judge(const BiSplit *split, const Walk *walk, int mark, int blanks, int lines)
{
	if (walk->end.byte >= split->blank_from || walk->place.byte >= split->len)
		return LEVEL_END;
	if (lines > 0)
		return lines > 1 ? LEVEL_PARAGRAPH : LEVEL_LINE;
	if (walk->stop && blanks)
		return LEVEL_SENTENCE;
	if (walk->stop == BI_MARK_FULL_STOP && !goes_on(split, &walk->place, walk->stop))
		return LEVEL_SENTENCE;
	return (mark | blanks) & BI_MARK_BREAK ? LEVEL_WORD : LEVEL_GRAPHEME;
}

/* Moves the walk to the next gap.  False if the content before it would end behind limit, or the
 * text is over. */
static bool
pass_content(const BiSplit *split, Walk *walk, int64 limit)
{
	uint32		code;
	int			mark;
	int			blanks;
	int			lines;

	CHECK_FOR_INTERRUPTS();
	if (!pass_cluster(split, &walk->place, limit, &code))
		return false;
	mark = bi_repertoire_mark(code);
	walk->stop = follow_stop(walk->stop, mark);
	walk->end = walk->place;
	blanks = pass_blanks(split, &walk->place, limit + LOOK_AHEAD, &lines);
	walk->level = judge(split, walk, mark, blanks, lines);
	if (blanks)
		walk->stop = 0;
	return true;
}

/* Chooses where a piece ends that has new content at place, and ends at limit at the latest, unless
 * its first cluster is longer. */
static Choice
choose_end(const BiSplit *split, BiSplitPlace place, int64 limit)
{
	Walk		walk = {.place = place};
	Choice		choice;

	if (!pass_content(split, &walk, limit))
	{
		walk.place = place;
		(void) pass_content(split, &walk, NO_LIMIT);
	}
	choice.level = walk.level;
	choice.first = choice.last = walk.end;
	while (choice.level < LEVEL_END && pass_content(split, &walk, limit))
	{
		if (walk.level > choice.level && choice.level < split->level)
			choice.first = walk.end;
		if (walk.level >= choice.level)
			choice.last = walk.end;
		choice.level = Max(choice.level, walk.level);
	}
	return choice;
}

/* Returns where the next piece begins: within the last one, or at its new content. */
static BiSplitPlace
choose_start(const BiSplit *split, BiSplitPlace content, const Choice *choice)
{
	int64		wanted = split->end.at - split->overlap;
	int64		possible = Max(wanted, choice->first.at - split->size);
	Walk		walk = {.place = split->start};
	BiSplitPlace found = content;
	bool		words = content.at > split->end.at;

	while (pass_content(split, &walk, split->end.at) && walk.place.at < split->end.at)
	{
		bool		word = walk.level >= LEVEL_WORD;

		if (word && walk.place.at >= possible)
			return walk.place;
		if (word && walk.place.at >= wanted)
			words = true;
		if (walk.place.at >= possible && found.at == content.at)
			found = walk.place;
	}
	/* Rather no overlap than half a word, where there are words. */
	return words ? content : found;
}

/* Returns behind which byte there is nothing but white space, as far as the text can be read
 * backwards: beyond ASCII only UTF-8 can. */
static size_t
find_blank(const BiSplit *split)
{
	size_t		end = split->len;

	while (end > 0)
	{
		BiSplitPlace place = {.byte = end - 1};
		int			size;
		uint32		code;

		if ((unsigned char) split->text[place.byte] >= 0x80 &&
			split->repertoire->encoding != PG_UTF8)
			break;
		while (place.byte > 0 && end - place.byte < 3 &&
			   ((unsigned char) split->text[place.byte] & 0xC0) == 0x80)
			place.byte--;
		code = read_code(split, &place, &size);
		if ((bi_repertoire_mark(code) & BI_MARK_SPACE) == 0 || place.byte + size != end)
			break;
		end = place.byte;
		CHECK_FOR_INTERRUPTS();
	}
	return end;
}

void
bi_split_begin(BiSplit *split, const char *text, size_t len, const BiRepertoire *repertoire,
			   int size, int overlap)
{
	memset(split, 0, sizeof(BiSplit));
	split->text = text;
	split->len = len;
	split->repertoire = repertoire;
	split->size = size;
	split->overlap = overlap;
	split->blank_from = find_blank(split);
}

bool
bi_split_next(BiSplit *split, BiSplitPiece *piece)
{
	BiSplitPlace content = split->end;
	BiSplitPlace start;
	Choice		choice;
	int			lines;

	(void) pass_blanks(split, &content, NO_LIMIT, &lines);
	if (content.byte >= split->len)
		return false;
	choice = choose_end(split, content, content.at + split->size);
	start = content;
	if (split->overlap > 0 && split->end.byte > 0)
		start = choose_start(split, content, &choice);
	if (start.at < content.at && choice.last.at > start.at + split->size)
		choice = choose_end(split, content, start.at + split->size);
	split->start = start;
	split->end = choice.last;
	split->level = choice.level;
	piece->text = split->text + start.byte;
	piece->len = split->end.byte - start.byte;
	piece->start = start.at + 1;
	return true;
}
