/*
 * test/fuzz/target_split.c: a text in pieces.
 *
 * Input: a line "SIZE OVERLAP ENCODING", then the text, which need not be valid.  What the contract
 * says of pieces is compared with all clusters of the text, read from its beginning.
 */
#include "postgres.h"

#include "base/grapheme.h"
#include "base/split.h"
#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#define SIZE_MAX_TRIED 100

/* What the bytes of a text are, and its end. */
typedef struct Map
{
	bool	   *border;			/* a cluster begins here */
	bool	   *blank;			/* it is white space */
	int64	   *at;				/* characters before */
} Map;

static Map
read_map(const BiRepertoire *repertoire, const char *text, size_t len)
{
	Map			map = {palloc0(len + 1), palloc0(len + 1), palloc0((len + 1) * sizeof(int64))};
	BiGrapheme	cluster;
	size_t		begin = 0;
	int64		at = 0;
	int			size;

	for (size_t byte = 0; byte < len; byte += size)
	{
		uint32		code = bi_repertoire_read(repertoire, text + byte, len - byte, &size);
		bool		blank = (bi_repertoire_mark(code) & BI_MARK_SPACE) != 0;

		FUZZ_CHECK(size > 0 && size <= len - byte);
		map.at[byte] = at++;
		map.border[byte] = byte == 0 || !bi_grapheme_add(&cluster, code);
		if (map.border[byte])
		{
			bi_grapheme_begin(&cluster, code);
			begin = byte;
			map.blank[begin] = blank;
		}
		map.blank[begin] = map.blank[begin] && blank;
	}
	map.at[len] = at;
	map.border[len] = true;
	return map;
}

static void
check_blank(const Map *map, size_t from, size_t to)
{
	for (size_t byte = from; byte < to; byte++)
		FUZZ_CHECK(!map->border[byte] || map->blank[byte]);
}

/* Returns whether there is a border within. */
static bool
has_border(const Map *map, size_t from, size_t to)
{
	for (size_t byte = from + 1; byte < to; byte++)
		if (map->border[byte])
			return true;
	return false;
}

static void
check_piece(const Map *map, const BiSplit *split, size_t from, size_t to)
{
	size_t		last = to;

	FUZZ_CHECK(from < to && to <= split->len && map->border[from] && map->border[to]);
	while (!map->border[--last])
		;
	FUZZ_CHECK(!map->blank[from] && !map->blank[last]);
	FUZZ_CHECK(map->at[to] - map->at[from] <= split->size || !has_border(map, from, to));
}

void
fuzz_one(const char *data, size_t len)
{
	FuzzInput	input = {data, len};
	char	   *line = fuzz_line(&input);
	int			size = (int) (strtoul(fuzz_word(&line), NULL, 10) % SIZE_MAX_TRIED) + 1;
	int			overlap = (int) (strtoul(fuzz_word(&line), NULL, 10) % size);
	int			encoding = pg_valid_server_encoding(fuzz_word(&line));
	char	   *text = fuzz_rest(&input);
	BiRepertoire *repertoire = bi_repertoire_make(encoding < 0 ? PG_UTF8 : encoding);
	Map			map = read_map(repertoire, text, input.len);
	BiSplit		split;
	BiSplitPiece piece;
	size_t		start = 0;
	size_t		end = 0;

	InterruptPending = true;
	fuzz_interruptions = 0;
	bi_split_begin(&split, text, input.len, repertoire, size, overlap);
	while (bi_split_next(&split, &piece))
	{
		size_t		from = piece.text - text;
		size_t		to = from + piece.len;

		check_piece(&map, &split, from, to);
		FUZZ_CHECK(piece.start == map.at[from] + 1);
		FUZZ_CHECK(end == 0 || (from > start && to > end));
		FUZZ_CHECK(map.at[end] - map.at[from] <= overlap);
		check_blank(&map, end, from);
		start = from;
		end = to;
	}
	check_blank(&map, end, input.len);
	/* also within long clusters, and long white space */
	FUZZ_CHECK(fuzz_interruptions >= map.at[input.len]);
}
