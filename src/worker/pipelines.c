/*
 * worker/pipelines.c: refreshes pipelines by themselves.
 *
 * One at a time, the one that is due for longest.  Its query is code of its owner: it runs as they,
 * what it leaves in the process is dropped, and it runs in one visit of the database at a time.
 * While it takes long another visit comes for the work of others, as it does for any code.
 */
#include "postgres.h"

#include "base/crash.h"
#include "engine/remains.h"
#include "intake/refresh.h"
#include "store/pipeline.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/pipelines.h"
#include "worker/visitor.h"

/* One whose owner's code runs in another visit is tried again after this time. */
#define AGAIN_MS 1000

/* So many that are due are looked at. */
#define CHOICE 16

/* The refresh of one pipeline. */
typedef struct Turn
{
	int			id;				/* 0: none is refreshed */
	BiPipeline *pipeline;
	TimestampTz next;			/* when to look for the next one */
} Turn;

static void
refresh(void *arg)
{
	static const BiRefresh scheduled = {.is_scheduled = true};
	const Turn *turn = arg;
	char	   *why;

	if (!OidIsValid(turn->pipeline->owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of the pipeline does not exist any more")));
	if (bi_refresh_run(turn->pipeline, &scheduled, &why) == 0 && why)
		ereport(LOG,
				(errmsg("pipeline \"%s\" was not refreshed: %s", turn->pipeline->name, why)));
}

static void
run_phase(void *arg)
{
	Turn	   *turn = arg;
	ErrorData  *error;

	BI_CRASH_POINT("refresh", "begin");
	turn->pipeline = bi_pipeline_load(turn->id);
	if (turn->pipeline == NULL)
		return;
	error = bi_remains_try(refresh, turn, CurrentMemoryContext);
	if (error == NULL)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("pipeline \"%s\" was not refreshed: %s", turn->pipeline->name,
					error->message)));
	bi_pipeline_note_error(turn->id, error->message);
}

/* Chooses one that is due, and whose owner's code may run here.  That it is tried is recorded
 * before it begins: whatever ends this process meanwhile, it is not tried again at once. */
static void
choose_phase(void *arg)
{
	Turn	   *turn = arg;
	int			ids[CHOICE];
	Oid			owners[CHOICE];
	int			n = bi_pipeline_due(ids, owners, CHOICE);

	for (int i = 0; i < n && turn->id == 0; i++)
	{
		if (!bi_visitor_begin_code(owners[i], false))
			continue;
		if (bi_pipeline_load(ids[i]))
			turn->id = ids[i];
		else
			bi_visitor_end_code();
	}
	if (turn->id != 0)
		bi_pipeline_note_try(turn->id);
	turn->next = n > 0 ? TimestampTzPlusMilliseconds(GetCurrentTimestamp(), AGAIN_MS)
		: bi_pipeline_next();
}

static void
run_one(BiXactMode mode, BiPhase phase, Turn *turn)
{
	ErrorData  *error = bi_xact_run(mode, phase, turn);

	if (error == NULL)
		return;
	bi_visitor_end_code();
	if (!bi_xact_is_for_now(error))
		ReThrowError(error);
	turn->id = 0;
	turn->next = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), AGAIN_MS);
}

TimestampTz
bi_pipelines_refresh(BiXactMode mode)
{
	Turn		turn = {0};

	run_one(mode, choose_phase, &turn);
	if (turn.id != 0)
		run_one(mode, run_phase, &turn);
	bi_visitor_end_code();
	return turn.next;
}
