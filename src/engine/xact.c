/*
 * engine/xact.c: transaction control.
 *
 * A worker starts and commits transactions.  A procedure may not abort the one it
 * stands in, so each phase there is a subtransaction, followed by SPI_commit.  Nothing
 * else in the house begins or ends a transaction.  Called by engine/.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "engine/settings.h"
#include "engine/xact.h"
#include "executor/spi.h"
#include "store/sql.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

static void
run_phase(BiPhase phase, void *arg)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	bi_sql_connect();
	phase(arg);
	bi_sql_finish();
	PopActiveSnapshot();
}

/* In PG_CATCH: the error as a value, in cxt. */
static ErrorData *
take_error(MemoryContext cxt)
{
	ErrorData  *error;

	MemoryContextSwitchTo(cxt);
	error = CopyErrorData();
	FlushErrorState();
	return error;
}

/* User code may raise an error that only bears the code. */
bool
bi_xact_is_cancel(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		error->funcname && strcmp(error->funcname, "ProcessInterrupts") == 0;
}

bool
bi_xact_is_for_now(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ||
		error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE;
}

static ErrorData *
throw_cancel(ErrorData *error)
{
	if (error && bi_xact_is_cancel(error))
		ReThrowError(error);
	return error;
}

static ErrorData *
run_in_worker(BiPhase phase, void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();	/* of which now() is made */
		StartTransactionCommand();
		run_phase(phase, arg);
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		error = take_error(cxt);
		AbortOutOfAnyTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	return error;
}

/* fn(arg) in a subtransaction. */
static ErrorData *
run_in_subtransaction(void (*fn) (BiPhase, void *), BiPhase phase, void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		fn(phase, arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		error = take_error(cxt);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = owner;
	return error;
}

static void
run_with_settings(BiPhase phase, void *arg)
{
	int			level = NewGUCNestLevel();

	bi_settings_force(GUC_ACTION_SAVE);
	run_phase(phase, arg);
	AtEOXact_GUC(false, level);
}

/* SPI_commit has started the next transaction also when it throws. */
static ErrorData *
commit_procedure(void)
{
	MemoryContext cxt = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		SPI_commit();
	}
	PG_CATCH();
	{
		error = take_error(cxt);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(cxt);
	return error;
}

/* The kind of a transaction can be set only before its first snapshot: CALL has taken one. */
static ErrorData *
begin_procedure(void)
{
	ErrorData  *error = FirstSnapshotSet ? commit_procedure() : NULL;

	if (error == NULL && !RecoveryInProgress())
		bi_settings_force_transaction();
	return error;
}

static ErrorData *
run_in_procedure(BiPhase phase, void *arg)
{
	ErrorData  *error = begin_procedure();
	ErrorData  *late;

	if (error)
		return error;
	error = run_in_subtransaction(run_with_settings, phase, arg);
	late = commit_procedure();
	return error ? error : late;
}

ErrorData *
bi_xact_finish(BiXactMode mode, BiPhase phase, void *arg)
{
	return mode == BI_XACT_WORKER ? run_in_worker(phase, arg) : run_in_procedure(phase, arg);
}

ErrorData *
bi_xact_run(BiXactMode mode, BiPhase phase, void *arg)
{
	return throw_cancel(bi_xact_finish(mode, phase, arg));
}

static void
run_connected(BiPhase phase, void *arg)
{
	bi_sql_connect();
	phase(arg);
	bi_sql_finish();
}

ErrorData *
bi_xact_try(BiPhase phase, void *arg)
{
	return throw_cancel(run_in_subtransaction(run_connected, phase, arg));
}

static void
run_bare(BiPhase phase, void *arg)
{
	phase(arg);
}

void
bi_xact_wait(BiXactMode mode, BiPhase wait, void *arg)
{
	ErrorData  *error;

	if (mode == BI_XACT_WORKER)
	{
		wait(arg);
		return;
	}
	error = run_in_subtransaction(run_bare, wait, arg);
	if (error)
		ReThrowError(error);
}
