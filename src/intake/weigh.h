/*
 * intake/weigh.h: how many tokens a request of a job has, estimated before it is sent.
 */
#ifndef BI_WEIGH_H
#define BI_WEIGH_H

#include "postgres.h"

#include "base/measure.h"
#include "store/spec.h"

/* How the requests of one job are weighed.  A plain value. */
typedef struct BiWeigh
{
	BiMeasure	measure;		/* of the job's model */
	BiInput		input;
	int64		constant;		/* tokens that each request has beside its input */
} BiWeigh;

/* Returns how requests of the job are weighed: its model and the kind of its input are known. */
extern BiWeigh bi_weigh_of(const BiSpec *spec);

/* Returns the estimated tokens of a request with this input, which is UTF-8. */
extern int64 bi_weigh_tokens(const BiWeigh *weigh, const char *input);

#endif							/* BI_WEIGH_H */
