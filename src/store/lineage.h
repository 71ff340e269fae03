/*
 * store/lineage.h: which jobs have written a row.
 */
#ifndef BI_LINEAGE_H
#define BI_LINEAGE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "store/job.h"

/* A write of a job to a row.  Made by bi_lineage_find, in its memory; nobody changes it. */
typedef struct BiLineage
{
	int64		job_id;
	char	   *pipeline;		/* NULL: none has made the job, or it was dropped */
	int			version;		/* of that pipeline; 0: no pipeline */
	char	   *server;
	char	   *model;
	char	   *record_id;
	char	   *row_id;			/* the row's key: as record_id, which it is of an update */
	List	   *key;			/* the parts of a composite key, cstrings; else NIL */
	bool		by_primary_key; /* of a job that adds rows: this is the row's primary key */
	TimestampTz finished_at;
	TimestampTz asked_at;		/* since when the answer was to be written */
	bytea	   *print;			/* fingerprint of what was written; NULL: not known */
	bool		reverted;
	Datum		cost;			/* numeric, in US dollars, of all attempts; 0: not known */
	const BiJob *job;
	List	   *columns;		/* present names of the columns that the job writes, cstrings; NULL
								 * in the place of one that was dropped */
	List	   *key_columns;	/* the same of its key */
} BiLineage;

/*
 * Returns the writes to the row of the table that has this key, a list of BiLineage *, the last one
 * first; key: as record.record_id.  Of all owners: the caller decides who may see them.  Needs SPI.
 */
extern List *bi_lineage_find(Oid relid, const char *key);

/*
 * Returns what the row holds now in the columns of the write, as role reads it: the fingerprints of
 * all rows with the key, one behind the other, palloc'd; NULL if role sees no such row, or a column
 * was dropped.  Code of the table runs in a security-restricted operation.  Raises an error if role
 * may not read the columns: call it in a subtransaction.  Needs SPI.
 */
extern bytea *bi_lineage_read(Oid relid, const BiLineage *write, Oid role);

/* True if these fingerprints have that of the write. */
extern bool bi_lineage_holds(const BiLineage *write, const bytea *prints);

#endif							/* BI_LINEAGE_H */
