/*
 * intake/alike.h: which requests are alike, so that one answer serves for both.
 */
#ifndef BI_ALIKE_H
#define BI_ALIKE_H

#include "postgres.h"

#include "base/digest.h"
#include "provider/provider.h"

/*
 * Writes the SHA-256 of all that a job sends with each of its records, beside the input: the
 * shape of the requests, model, params, system prompt and schema, and where they go.  The spec's
 * endpoint is chosen.  digest has BI_DIGEST_SIZE bytes.
 */
extern void bi_alike_digest(const BiSpec *spec, const BiServer *server, const BiProvider *provider,
							uint8 *digest);

/* True if equal requests of the job surely mean one answer, so that they are sent once unless the
 * caller says otherwise. */
extern bool bi_alike_by_default(const BiSpec *spec);

#endif							/* BI_ALIKE_H */
