/*
 * provider/gcs.h: Cloud Storage's JSON API: what is asked of it.
 *
 * Of Google itself, or of a store that speaks the same (storage_base_url).  Places are
 * gs://BUCKET/NAME, without escapes.
 */
#ifndef BI_GCS_H
#define BI_GCS_H

#include "provider/provider.h"

/* Sends the body that the caller gives to ex, which is told to have one; where an object is
 * there already, the reply has status 412 and nothing happens. */
extern void bi_gcs_put(const BiCall *call, const char *place, BiExchange *ex);

/* What is known of an object, and its bytes. */
extern void bi_gcs_stat(const BiCall *call, const char *place, BiExchange *ex);
extern void bi_gcs_get(const BiCall *call, const char *place, BiExchange *ex);

/* generation: only if it is still that; NULL: whatever it is. */
extern void bi_gcs_delete(const BiCall *call, const char *place, const char *generation, BiExchange *ex);

/* The objects whose places begin so, limit at most, from the page of that token on; NULL: the
 * first. */
extern void bi_gcs_list(const BiCall *call, const char *place, int limit, const char *token, BiExchange *ex);

/* OK: 2xx. */
extern BiVerdict bi_gcs_verdict(const BiExchange *ex);

/* The reply to put or stat: the object's generation, palloc'd, and whether the store has the
 * very bytes of ex->upload; NULL where it tells no object. */
extern char *bi_gcs_read_object(const BiExchange *ex, bool *same);

/* The verdict on a download: also not OK where other bytes came than the store says. */
extern BiVerdict bi_gcs_read_get(const BiExchange *ex);

/* A page of a list: how the places go on behind what was asked for (char *), added to names,
 * and the token of the next page, NULL for none; false where it is no list that can be
 * understood to its end. */
extern bool bi_gcs_read_list(const BiExchange *ex, const char *place, List **names, char **token);

#endif							/* BI_GCS_H */
