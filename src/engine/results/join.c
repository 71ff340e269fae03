/*
 * engine/results/join.c: answers without an id find their record by what they answer.
 *
 * The need.  Most APIs repeat the custom id of a request beside its answer.  Vertex AI repeats
 * the request instead, and the lines of its results files come in any order.  Whose an answer
 * is can only be told by comparing the request that it repeats with those that were sent.
 *
 * The parts.  A provider's routine "fingerprint" turns a request line into a text that is the
 * same for what the API repeats of it, whatever order and blanks the API gives its members.
 * read_line does the same for the line of an answer.  The join keeps a digest of each request's
 * fingerprint with the request's place in the chunk, sorted by digest.
 *
 * The order:
 *
 * 1. The reader meets a line that has a fingerprint and no custom id.  It keeps the line and
 *    stops; deliver.c starts the join.  If all lines have custom ids, this never happens.
 * 2. The chunk's requests are rendered once more (render.c), piece by piece as work of the
 *    step.  Nothing of the first rendering is kept: it may be days old, and the records of a
 *    chunk do not change while its batch is under way.
 * 3. The digests are sorted, and the reader goes on with the line that it kept.
 * 4. Each answer takes the first request with its digest that no answer has taken.
 *
 * Equal requests are interchangeable: the API cannot tell which of them it answers, and neither
 * can we.  They are handed out in the order of their seq, so that a second delivery of the same
 * file joins the same answers to the same records.  Results that are saved already are
 * therefore not paid for, or counted, a second time.
 *
 * On an error in step 2 the chunk goes back to "fetching" and nothing is lost: see render.c.
 *
 * Why not by the order of lines?  No API promises it.  Why not by a text of the row?  Prompts
 * are rendered from several columns, and APIs normalise what they repeat.
 */
#include "postgres.h"

#include "base/digest.h"
#include "engine/results/join.h"
#include "engine/results/render.h"
#include "utils/memutils.h"

/* How many bytes of a SHA-256 are kept: enough that no two requests of a batch share them. */
#define DIGEST_SIZE 16

typedef struct Entry
{
	uint8		digest[DIGEST_SIZE];
	int32		place;			/* seq, less the join's first_seq */
	int32		taken;			/* in the first of equal entries: how many of them are handed out */
} Entry;

/* Made by bi_join_start, filled by add_line, sorted once, then only "taken" changes. */
struct BiJoin
{
	MemoryContext line_cxt;		/* for one request at a time */
	BiStepWork	on_done;		/* what the step does once the entries are sorted */
	int64		first_seq;
	int64		size;			/* entries allocated */
	int64		n;				/* entries in use */
	Entry	   *entries;
};

static void
digest_of(const char *fingerprint, Entry *entry)
{
	uint8		digest[BI_DIGEST_SIZE];

	bi_digest_of(fingerprint, digest);
	memcpy(entry->digest, digest, DIGEST_SIZE);
}

/* Adds one request, in a transaction.  A request without a fingerprint cannot be joined. */
static void
add_line(void *arg, BiStep *step, int64 seq, const char *line, size_t len)
{
	BiJoin	   *join = arg;
	MemoryContext old = MemoryContextSwitchTo(join->line_cxt);
	char	   *fingerprint = step->provider->batch->fingerprint(&step->call, line, len);

	if (fingerprint && join->n < join->size)
	{
		Entry	   *entry = &join->entries[join->n++];

		digest_of(fingerprint, entry);
		entry->place = (int32) (seq - join->first_seq);
		entry->taken = 0;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(join->line_cxt);
}

static int
compare_places(int32 a, int32 b)
{
	return (a > b) - (a < b);
}

static int
compare_entries(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;
	int			order = memcmp(x->digest, y->digest, DIGEST_SIZE);

	return order != 0 ? order : compare_places(x->place, y->place);
}

static void
sort_entries(BiStep *step)
{
	BiJoin	   *join = step->render->arg;

	qsort(join->entries, join->n, sizeof(Entry), compare_entries);
	step->work = join->on_done;
}

BiJoin *
bi_join_start(BiStep *step, int64 first_seq, MemoryContext line_cxt, BiStepWork on_done)
{
	BiJoin	   *join = MemoryContextAllocZero(step->cxt, sizeof(BiJoin));

	join->line_cxt = line_cxt;
	join->on_done = on_done;
	join->first_seq = first_seq;
	join->size = step->chunk->records;
	join->entries = MemoryContextAllocHuge(step->cxt, sizeof(Entry) * (join->size + 1));
	bi_render_again(step, add_line, join, sort_entries);
	return join;
}

/* Returns the index of the first entry that is not before the digest. */
static int64
lower_bound(const BiJoin *join, const Entry *wanted)
{
	int64		low = 0;
	int64		high = join->n;

	while (low < high)
	{
		int64		middle = (low + high) / 2;

		if (memcmp(join->entries[middle].digest, wanted->digest, DIGEST_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* True if the i-th entry has the digest. */
static bool
is_at(const BiJoin *join, int64 i, const Entry *wanted)
{
	return i < join->n && memcmp(join->entries[i].digest, wanted->digest, DIGEST_SIZE) == 0;
}

int64
bi_join_take(BiJoin *join, const char *fingerprint, bool *is_known)
{
	Entry		wanted;
	Entry	   *first;
	int64		i;

	digest_of(fingerprint, &wanted);
	i = lower_bound(join, &wanted);
	*is_known = is_at(join, i, &wanted);
	if (!*is_known)
		return 0;
	first = &join->entries[i];
	if (!is_at(join, i + first->taken, &wanted))
		return 0;
	return join->first_seq + join->entries[i + first->taken++].place;
}
