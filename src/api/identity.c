/*
 * api/identity.c: the identity of this install, for the view batchinf.here.
 *
 * Jobs know servers by oid, and an oid means something in its database of its cluster only.
 * pg_upgrade carries the install's uuid into another cluster, but not the oids.  So the cluster's
 * system identifier is a part of the identity: a standby has the same one, a new cluster has not.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(batchinf_identity);

/* batchinf.identity(uuid) RETURNS uuid: never the same for one uuid in two clusters. */
Datum
batchinf_identity(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *identity = palloc(sizeof(pg_uuid_t));
	uint64		cluster = GetSystemIdentifier();

	*identity = *PG_GETARG_UUID_P(0);
	for (int i = 0; i < sizeof(cluster); i++)
		identity->data[UUID_LEN - 1 - i] ^= (unsigned char) (cluster >> (BITS_PER_BYTE * i));
	PG_RETURN_UUID_P(identity);
}
