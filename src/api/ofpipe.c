/*
 * api/ofpipe.c: which pipeline a call is about, and whether its caller may.
 */
#include "postgres.h"

#include "api/ofpipe.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#define INVALID(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* Returns an argument, by its place, that is the name of a pipeline. */
char *
bi_ofpipe_name(FunctionCallInfo fcinfo)
{
	char	   *name;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"name\" must not be null")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (name[0] == '\0' || strlen(name) > 1024)
		INVALID(errmsg("the name of a pipeline has 1 to 1024 bytes"));
	return name;
}

void
bi_ofpipe_check_superuser(Oid owner)
{
	if (superuser_arg(owner) && !(superuser() && superuser_arg(GetSessionUserId())))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to make a pipeline that runs as a superuser"),
				 errdetail("The session belongs to \"%s\".",
						   GetUserNameFromId(GetSessionUserId(), true))));
}

BiPipeline *
bi_ofpipe_require(FunctionCallInfo fcinfo, const char *what)
{
	BiPipeline *pipeline = bi_pipeline_require(bi_ofpipe_name(fcinfo));

	bi_pipeline_check_rights(pipeline, what);
	return pipeline;
}

void
bi_ofpipe_refuse_foreign(const BiPipeline *pipeline, const char *what)
{
	if (pipeline->foreign)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot %s pipeline \"%s\": it belongs to another installation", what,
						pipeline->name),
				 errhint("Use batch_adopt_pipeline(%s) to let it go on here.",
						 quote_literal_cstr(pipeline->name))));
}

void
bi_ofpipe_require_owner(const BiPipeline *pipeline)
{
	if (!OidIsValid(pipeline->owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the owner of pipeline \"%s\" does not exist any more", pipeline->name),
				 errhint("Use batch_adopt_pipeline(%s, 'role').",
						 quote_literal_cstr(pipeline->name))));
}
