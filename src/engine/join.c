/*
 * engine/join.c: answers without an id find their record by what they answer.
 *
 * Some APIs echo the request in place of an id.  The chunk's requests are rendered once more
 * and kept as digests, sorted; the provider says what of a line an echo keeps.  Equal requests
 * are interchangeable, and handed out in order, so that a second delivery of the same file
 * joins the same.  Called by answer.c and deliver.c.
 */
#include "postgres.h"

#include "base/digest.h"
#include "engine/answer.h"
#include "engine/join.h"
#include "engine/render.h"
#include "utils/memutils.h"

/* So much of a SHA-256 that no two requests of a batch share it. */
#define DIGEST_SIZE 16

typedef struct Entry
{
	uint8		digest[DIGEST_SIZE];
	int32		place;			/* seq, less the first */
	int32		taken;			/* of the first of equal ones: how many are handed out */
} Entry;

struct BiJoin
{
	int64		first_seq;
	int64		size;			/* entries allocated */
	int64		n;
	Entry	   *entries;
};

static void
digest_of(const char *fingerprint, Entry *entry)
{
	uint8		digest[BI_DIGEST_SIZE];

	bi_digest_of(fingerprint, digest);
	memcpy(entry->digest, digest, DIGEST_SIZE);
}

/* One line, in a transaction; a line without a fingerprint can have no answer by it. */
static void
take_line(BiStep *step, int64 seq, const char *line, size_t len)
{
	BiDeliver  *d = step->deliver;
	BiJoin	   *join = d->join;
	MemoryContext old = MemoryContextSwitchTo(d->group_cxt);
	char	   *fingerprint = step->provider->fingerprint(&step->call, line, len);

	if (fingerprint && join->n < join->size)
	{
		Entry	   *entry = &join->entries[join->n++];

		digest_of(fingerprint, entry);
		entry->place = (int32) (seq - join->first_seq);
		entry->taken = 0;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(d->group_cxt);
}

static int
entry_order(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;
	int			order = memcmp(x->digest, y->digest, DIGEST_SIZE);

	if (order == 0)
		order = x->place < y->place ? -1 : x->place > y->place;
	return order;
}

static void
sort_entries(BiStep *step)
{
	BiJoin	   *join = step->deliver->join;

	qsort(join->entries, join->n, sizeof(Entry), entry_order);
	step->work = step->deliver->joined;
}

void
bi_join_start(BiStep *step, BiStepWork done)
{
	BiDeliver  *d = step->deliver;
	BiJoin	   *join = MemoryContextAllocZero(step->cxt, sizeof(BiJoin));

	join->first_seq = d->first_seq;
	join->size = step->chunk->records;
	join->entries = MemoryContextAllocHuge(step->cxt, sizeof(Entry) * (join->size + 1));
	d->join = join;
	d->joined = done;
	bi_render_again(step, take_line, sort_entries);
}

/* The first entry that is not before the digest. */
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

static bool
is_at(const BiJoin *join, int64 i, const Entry *wanted)
{
	return i < join->n && memcmp(join->entries[i].digest, wanted->digest, DIGEST_SIZE) == 0;
}

int64
bi_join_take(BiJoin *join, const char *fingerprint, bool *known)
{
	Entry		wanted;
	Entry	   *first;
	int64		i;

	digest_of(fingerprint, &wanted);
	i = lower_bound(join, &wanted);
	*known = is_at(join, i, &wanted);
	if (!*known)
		return 0;
	first = &join->entries[i];
	if (!is_at(join, i + first->taken, &wanted))
		return 0;
	return join->first_seq + join->entries[i + first->taken++].place;
}
