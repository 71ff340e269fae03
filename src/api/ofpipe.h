/*
 * api/ofpipe.h: which pipeline a call is about, and whether its caller may.
 */
#ifndef BI_OFPIPE_H
#define BI_OFPIPE_H

#include "postgres.h"

#include "fmgr.h"
#include "store/pipeline.h"

/* All of these raise what is wrong. */

/* Returns the first argument of the call: the name of a pipeline, palloc'd. */
extern char *bi_ofpipe_name(FunctionCallInfo fcinfo);

/* Returns the pipeline of that name, locked, which the current user may change.  what: a verb.
 * Needs SPI. */
extern BiPipeline *bi_ofpipe_require(FunctionCallInfo fcinfo, const char *what);

/* Only a superuser himself makes a pipeline that runs as a superuser, such as this owner. */
extern void bi_ofpipe_check_superuser(Oid owner);

/* The pipeline is of this installation. */
extern void bi_ofpipe_refuse_foreign(const BiPipeline *pipeline, const char *what);

/* Its owner exists. */
extern void bi_ofpipe_require_owner(const BiPipeline *pipeline);

#endif							/* BI_OFPIPE_H */
