/*
 * provider/google/gcs.h: requests to Cloud Storage's JSON API, and what their replies bring.
 *
 * The store is Google's own, or another one if the server sets storage_base_url.  A place is
 * gs://BUCKET/NAME without escapes.
 */
#ifndef BI_GCS_H
#define BI_GCS_H

#include "provider/provider.h"

/* Writes the upload of an object.  The caller adds the body.  If the object exists already, the
 * reply has status 412 and nothing happens. */
extern void bi_gcs_put(const BiCall *call, const char *place, BiExchange *ex);

/* Write the request for what is known of an object, and the one for its bytes. */
extern void bi_gcs_stat(const BiCall *call, const char *place, BiExchange *ex);
extern void bi_gcs_get(const BiCall *call, const char *place, BiExchange *ex);

/* Writes the deletion of an object.  generation: only if the object still has that one; NULL:
 * whatever it has. */
extern void bi_gcs_delete(const BiCall *call, const char *place, const char *generation,
						  BiExchange *ex);

/* Writes the list of at most limit objects whose places begin with place, from the page of that
 * token on; token is NULL for the first page. */
extern void bi_gcs_list(const BiCall *call, const char *place, int limit, const char *token,
						BiExchange *ex);

/* Returns what the reply says; OK for every 2xx. */
extern BiVerdict bi_gcs_verdict(const BiExchange *ex);

/*
 * Reads the reply to put or stat.  Returns the object's generation, palloc'd, and sets *same if the
 * store has the very bytes of ex->upload.  NULL if the reply does not describe an object.
 */
extern char *bi_gcs_read_object(const BiExchange *ex, bool *same);

/* Returns the verdict on a download: also not OK if the bytes do not have the checksum that the
 * store says. */
extern BiVerdict bi_gcs_read_get(const BiExchange *ex);

/*
 * Reads one page of the list of place.  Adds to *names (of char *) what stands behind place in the
 * name of each object, and sets *token to the next page's token, NULL after the last page.  False
 * if it is not a list that can be understood to its end.
 */
extern bool bi_gcs_read_list(const BiExchange *ex, const char *place, List **names, char **token);

#endif							/* BI_GCS_H */
