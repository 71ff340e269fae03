/*
 * engine/xact.c: the one seam of transaction control.
 *
 * A worker starts and commits transactions.  A procedure cannot abort the transaction it is in, so
 * each phase there is a subtransaction, followed by SPI_commit.  Nothing else in engine/ begins or
 * ends a transaction.  How these choices were made, tried on PostgreSQL 15:
 *
 * - AbortOutOfAnyTransaction inside of a CALL disconnects SPI silently, and the next statement is
 *   lost; SPI_rollback in PG_CATCH is refused while the failed query's snapshot is pushed.  An
 *   internal subtransaction has neither problem.
 * - SPI_commit in a procedure without SET clauses leaves no xmin, no xid and no lock behind, so
 *   that the session can wait for bytes without holding anything up.
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

/* In PG_CATCH: returns the error as a value in cxt, which becomes the current context. */
static ErrorData *
take_error(MemoryContext cxt)
{
	ErrorData  *error;

	MemoryContextSwitchTo(cxt);
	error = CopyErrorData();
	FlushErrorState();
	return error;
}

/* Not by the code alone: user code may raise an error with any code. */
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

/* Raises a cancel again, returns everything else. */
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
		SetCurrentStatementStartTimestamp();	/* now() returns it */
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

/* Runs fn(phase, arg) in a subtransaction.  Returns the error that rolled it back, or NULL. */
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

/* The session's own settings are back afterwards. */
static void
run_with_settings(BiPhase phase, void *arg)
{
	int			level = NewGUCNestLevel();

	bi_settings_force(GUC_ACTION_SAVE);
	run_phase(phase, arg);
	AtEOXact_GUC(false, level);
}

/* Returns the error of the commit, or NULL.  SPI_commit has started the next transaction in either
 * case. */
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

/* Begins a new transaction.  The one that SPI_commit began has waited since then, and its now() is
 * the time before the wait: what became due meanwhile would not be seen.  The one that CALL began
 * has taken a snapshot, before which alone isolation and access mode can be set. */
static ErrorData *
begin_procedure(void)
{
	ErrorData  *error = commit_procedure();

	if (error == NULL && !RecoveryInProgress())
		bi_settings_force_transaction();
	return error;
}

/* Returns the phase's error, or else that of the commit, or NULL. */
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
