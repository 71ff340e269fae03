/*
 * api/adopt.c: batch_adopt: a job of another install goes on in this one.
 *
 * Adoption never changes whose rights a job has.  A foreign job goes on as the role that has
 * its owner's name here, never as the caller.  Only where no role can have it by name does a
 * superuser name one.  Server and target are looked up by name, with the rights of the role
 * that the job goes on as: the caller's rights find and prove nothing.  A role that is a
 * superuser gets a job only if the former owner was one, otherwise the code of a job that an
 * ordinary role has prepared would run with a superuser's rights.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "engine/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/aim.h"
#include "store/inflight.h"
#include "store/job.h"
#include "store/server.h"
#include "store/sql.h"
#include "store/target_check.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"
#include "worker/wake.h"

PG_FUNCTION_INFO_V1(batchinf_adopt);

/* What one call wants for one job. */
typedef struct Adoption
{
	int64		job_id;
	Oid			named;			/* argument "owner"; InvalidOid if NULL */
} Adoption;

/* Returns the role that the job belongs to by name.  In its own install a name proves nothing:
 * the role was dropped, and another one may have its name by now. */
static Oid
former_owner(const BiJob *job)
{
	return job->foreign ? bi_job_role(job) : InvalidOid;
}

/* True if the job may go on as that role without getting a superuser's rights. */
static bool
fits(const BiJob *job, Oid role)
{
	return job->owner_superuser || !superuser_arg(role);
}

/* True if the current user may adopt the job: as a member of its former owner, or a superuser. */
static bool
may_adopt(const BiJob *job)
{
	Oid			former = former_owner(job);

	return OidIsValid(former) ? has_privs_of_role(GetUserId(), former) : superuser();
}

static void
check_state(const BiJob *job, int64 job_id)
{
	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("batch job " INT64_FORMAT " does not exist", job_id)));
	if (!job->foreign && OidIsValid(bi_job_role(job)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("batch job " INT64_FORMAT " is not foreign", job_id),
				 errdetail("It belongs to this installation, and its owner \"%s\" exists.",
						   GetUserNameFromId(job->owner, false))));
}

static void
check_caller(const BiJob *job, Oid named)
{
	const char *hint;

	if (may_adopt(job) && (!OidIsValid(named) || superuser()))
		return;
	if (OidIsValid(named))
		hint = "Only a superuser may name the role that a job goes on as.";
	else if (OidIsValid(former_owner(job)))
		hint = psprintf("Only a superuser, or a member of the role \"%s\" that it belonged to,"
						" may do this.", job->owner_name);
	else
		hint = "Only a superuser may do this for the job of a role that does not exist.";
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to adopt batch job " INT64_FORMAT, job->id),
			 errhint("%s", hint)));
}

static void
check_not_by_name(const BiJob *job)
{
	Oid			former = former_owner(job);

	if (OidIsValid(former) && fits(job, former))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot name another owner for batch job " INT64_FORMAT, job->id),
				 errdetail("The role \"%s\" that it belonged to exists.", job->owner_name),
				 errhint("Use batch_adopt(" INT64_FORMAT ") to let it go on as that role.",
						 job->id)));
}

/* Returns the role that the job goes on as. */
static Oid
choose_owner(const BiJob *job, Oid named)
{
	Oid			role = OidIsValid(named) ? named : former_owner(job);

	if (OidIsValid(named))
		check_not_by_name(job);
	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of batch job " INT64_FORMAT " does not exist", job->id),
				 errdetail("It belonged to a role \"%s\".", job->owner_name),
				 errhint("Name the role that it goes on as: batch_adopt(" INT64_FORMAT
						 ", owner => 'role').", job->id)));
	if (!fits(job, role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("batch job " INT64_FORMAT " cannot go on as the superuser \"%s\"", job->id,
						GetUserNameFromId(role, false)),
				 errdetail("Its owner is not known to have been a superuser."),
				 errhint("As a superuser, name a role that is not one: batch_adopt(" INT64_FORMAT
						 ", owner => 'role').", job->id)));
	return role;
}

/*
 * Returns the oid of the job's server, which the current user may use.  In its own install the
 * server is found by its oid, as it may have been renamed: what is at the provider is there and
 * nowhere else.
 */
static Oid
find_server(const BiJob *job)
{
	BiServer   *own = job->foreign ? NULL : bi_server_load(job->server, GetUserId());

	return bi_server_require(own ? own->name : job->server_name, GetUserId());
}

/* Returns the target of a job of this install.  Renamed tables and columns are followed, as in a
 * write-back. */
static Oid
find_own_target(const BiJob *job)
{
	BiJob		owned = *job;
	BiTarget   *target;

	owned.owner = GetUserId();
	target = bi_aim_open(&owned);
	bi_target_check(target, &job->spec, 0);
	return job->target;
}

/* Returns the oid of the target, which the current user may write to; InvalidOid if the job has
 * none. */
static Oid
find_target(const BiJob *job)
{
	List	   *names;
	Oid			target;

	if (job->target_name == NULL)
		return InvalidOid;
	if (!job->foreign)
		return find_own_target(job);
	names = textToQualifiedNameList(cstring_to_text(job->target_name));
	target = RangeVarGetRelid(makeRangeVarFromNameList(names), AccessShareLock, false);
	bi_target_check(bi_target_open(target, &job->spec), &job->spec, 0);
	return target;
}

/* Finds server and target with the rights of role.  An error leaves the user to the abort of
 * the (sub)transaction. */
static void
find_as(const BiJob *job, Oid role, Oid *server, Oid *target)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(role, context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	*server = find_server(job);
	*target = find_target(job);
	SetUserIdAndSecContext(user, context);
}

/* For the error context: the job, and the role with whose rights something is looked up. */
typedef struct Whose
{
	int64		job_id;
	char	   *role;
} Whose;

static void
add_context(void *arg)
{
	const Whose *whose = arg;

	errcontext("adoption of batch job " INT64_FORMAT " for role \"%s\"", whose->job_id,
			   whose->role);
}

/* The rows of a job that has not ended are in flight here from now on. */
static void
adopt_rows(int64 job_id)
{
	BiInflight *rows = bi_inflight_of_job(bi_job_load(CurrentMemoryContext, job_id),
										  BI_IN_FLIGHT_SEND);

	if (rows)
		bi_inflight_adopt(rows);
}

/*
 * Adopts one job.  Its row is locked first, otherwise a second adoption would void the claims of
 * the first.
 */
static void
adopt_phase(void *arg)
{
	const Adoption *adoption = arg;
	ErrorContextCallback context = {error_context_stack, add_context};
	Whose		whose = {.job_id = adoption->job_id};
	BiJob	   *job;
	Oid			role;
	Oid			server;
	Oid			target;

	bi_job_lock(adoption->job_id);
	job = bi_job_load(CurrentMemoryContext, adoption->job_id);
	check_state(job, adoption->job_id);
	check_caller(job, adoption->named);
	role = choose_owner(job, adoption->named);
	whose.role = GetUserNameFromId(role, false);
	context.arg = &whose;
	error_context_stack = &context;
	find_as(job, role, &server, &target);
	error_context_stack = context.previous;
	bi_job_adopt(job, role, server, target);
	if (!job->ended)
		adopt_rows(job->id);
}

/* Adopts one job.  An error becomes a warning: it must not stop the adoption of others. */
static void
adopt_or_warn(int64 job_id, Oid named)
{
	Adoption	adoption = {job_id, named};
	ErrorData  *error = bi_xact_try(adopt_phase, &adoption);

	if (error)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("batch job " INT64_FORMAT " was not adopted: %s", job_id, error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0,
				 error->hint ? errhint("%s", error->hint) : 0));
}

/*
 * Adopts all foreign jobs that the current user may adopt.  If a role is named: only those that no
 * role can have by name.
 */
static void
adopt_all(Oid named)
{
	ListCell   *cell;

	foreach(cell, bi_job_foreign_ids(CurrentMemoryContext))
	{
		BiJob	   *job = bi_job_load(CurrentMemoryContext, *(int64 *) lfirst(cell));
		Oid			former = former_owner(job);
		bool		by_name = OidIsValid(former) && fits(job, former);

		if (may_adopt(job) && !(OidIsValid(named) && by_name))
			adopt_or_warn(job->id, named);
	}
}

/* batch_adopt(job_id bigint, owner regrole); in version 0.1.0 it has the first argument only. */
Datum
batchinf_adopt(PG_FUNCTION_ARGS)
{
	Adoption	adoption = {.named = InvalidOid};

	if (PG_NARGS() > 1 && !PG_ARGISNULL(1))
		adoption.named = PG_GETARG_OID(1);
	bi_sql_connect();
	if (PG_ARGISNULL(0))
		adopt_all(adoption.named);
	else
	{
		adoption.job_id = PG_GETARG_INT64(0);
		adopt_phase(&adoption);
	}
	bi_sql_finish();
	bi_wake_at_commit();
	PG_RETURN_VOID();
}
