/*
 * intake/enroll.h: a request becomes a job in our tables.
 */
#ifndef BI_ENROLL_H
#define BI_ENROLL_H

#include "postgres.h"

#include "intake/intake.h"
#include "store/guard.h"
#include "store/keyhash.h"
#include "store/target.h"

/*
 * A job that is being made, as the current user.  On the stack of its maker, who zeroes it and may
 * set job.id, reserved before, and what is said to be theirs.
 */
typedef struct BiEnroll
{
	BiJob		job;
	BiIntake   *intake;			/* set by bi_enroll_check, as the next one */
	BiTarget   *target;			/* NULL: it has none */
	BiInflight *rows;			/* set by bi_enroll_open: its rows among those in flight; NULL: it
								 * holds none */
	List	   *sources;		/* as bi_mode_sources; set by bi_enroll_open, as the next one */
	BiKeyHash  *value_hash;		/* hashes the value that is replaced; NULL: none is */
	BiJudge    *judge;			/* the maker's: chooses rows; NULL: all are taken */
	bool		only_look;		/* the maker's: no job is made, bi_survey_run is called instead */
	int			pipeline;		/* the maker's: id of the pipeline that it is a job of; 0: none.
								 * Such a job is not made without records */
} BiEnroll;

/*
 * Opens the query of the request, and checks all that can be known to be wrong without reading a
 * row.  Sets job except its id and settings, intake and target.  Writes nothing, and takes no
 * transaction id.  The request must live as long as the job is being made.  Needs SPI.
 */
extern void bi_enroll_check(BiEnroll *enroll, const BiRequest *request);

/* The same for a job that is to be stored. */
extern void bi_enroll_open(BiEnroll *enroll, const BiRequest *request);

/* Returns what reads the columns of the target that the job guards, as the query sees them.  Only
 * of one with a target. */
extern BiGuard *bi_enroll_guard(const BiEnroll *enroll);

/* Of a replace: sets *value to the hash of the value whose rows the row replaces.  Raises an error
 * for a NULL. */
extern void bi_enroll_value(const BiEnroll *enroll, const BiDraft *draft, pg_uuid_t *value);

/* Reads the query and stores the job, its chunks and records.  Sets job.id: 0 if none was made. */
extern BiPlanned bi_enroll_run(BiEnroll *enroll);

#endif							/* BI_ENROLL_H */
