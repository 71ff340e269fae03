/*
 * store/spend.h: the table batchinf.spend: the ledger.
 */
#ifndef BI_SPEND_H
#define BI_SPEND_H

#include "postgres.h"

/*
 * A statement of SQL that inserts rows for the answers of one chunk into the ledger.  It belongs to
 * the statement, or at least the transaction, that inserts the answers or changes their costs: so
 * the ledger and the chunk's sums never differ.
 *
 * from: what is inserted, as "g", with g.model (NULL: the one that was asked for); job and chunk:
 * parameters with their ids.  columns and values: more columns and their values.
 */
#define BI_SPEND_INSERT(job, chunk, columns, values, from) \
	"INSERT INTO batchinf.spend (install, database, owner, owner_name, server, server_name," \
	"  provider, mode, pipeline_id, job_id, chunk_id, model, " columns ")" \
	" SELECT p.install, p.database, p.owner, p.owner_name, p.server, p.server_name," \
	"  p.provider, p.mode, p.pipeline_id, p.job_id, " chunk ", COALESCE(g.model, p.model)," \
	"  " values " FROM " from ", batchinf.payer p WHERE p.job_id = " job

/* Inserts the bytes of inputs and results that were moved for a chunk, in the transaction that adds
 * them to the chunk.  Needs SPI. */
extern void bi_spend_staged(int64 job_id, int64 chunk_id, int64 bytes);

#endif							/* BI_SPEND_H */
