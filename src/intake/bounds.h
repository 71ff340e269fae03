/*
 * intake/bounds.h: which limits a job will meet, in words.
 */
#ifndef BI_BOUNDS_H
#define BI_BOUNDS_H

#include "postgres.h"

#include "intake/survey.h"
#include "store/outlook.h"

/* The limits that a job will meet.  A variable of the caller. */
typedef struct BiBounds
{
	List	   *words;			/* char *: a sentence for each, palloc'd */
	int64		windows;		/* how often a batch window passes, at least: from 1; 0 without a
								 * batch */
} BiBounds;

/* Returns the limits of the server and the wishes of the job that will hold up what the survey has
 * found. */
extern BiBounds bi_bounds_find(const BiEnroll *enroll, const BiSurvey *survey,
							   const BiOutlook *outlook);

#endif							/* BI_BOUNDS_H */
