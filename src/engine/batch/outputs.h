/*
 * engine/batch/outputs.h: lists what an ended batch left at the provider.
 */
#ifndef BI_OUTPUTS_H
#define BI_OUTPUTS_H

#include "engine/call.h"

/* Takes the exchange whose reply ended the listing, with its verdict. */
typedef void (*BiOutputsFailed) (BiStepExchange *exchange, const BiVerdict *verdict);

/* A listing.  Part of the move's own struct; the move sets the last two members. */
typedef struct BiOutputs
{
	BiSeries	series;			/* its pages */
	BiStepWork	on_listed;		/* goes on: the chunk's references name all there is */
	BiOutputsFailed on_failed;	/* goes on: the list could not be read to its end */
} BiOutputs;

/*
 * Lists it into the chunk's references, then calls on_listed or on_failed; on_listed at once where
 * the provider's polls have said it all.  Listed again each time, for fetch and for clean: objects
 * may have come since.
 */
extern void bi_outputs_list(BiStep *step, BiOutputs *outputs);

#endif							/* BI_OUTPUTS_H */
