/*
 * intake/survey.h: what a job would be, without making it.
 */
#ifndef BI_SURVEY_H
#define BI_SURVEY_H

#include "postgres.h"

#include "intake/enroll.h"

/* What a job would be.  A variable of the caller. */
typedef struct BiSurvey
{
	BiPlanned	planned;
	int64		sent;			/* records that would be sent: not skipped, and no copies */
	int64		bytes;
	int64		tokens;			/* estimated, as BiChunk.tokens */
	int64		repeats;		/* records whose request an earlier one of the job has, too */
} BiSurvey;

/*
 * Reads the query of a job that is opened only to look at it (only_look), and counts.  Raises the
 * errors that bi_enroll_run raises for its rows.  Stores nothing.
 */
extern void bi_survey_run(BiEnroll *enroll, BiSurvey *survey);

#endif							/* BI_SURVEY_H */
