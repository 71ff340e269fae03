/*
 * provider/google/vertex_check.h: what batch_check asks Vertex AI and Cloud Storage.
 */
#ifndef BI_VERTEX_CHECK_H
#define BI_VERTEX_CHECK_H

#include "provider/provider.h"

/* Implement request and read of BiProviderCheck. */
extern void bi_vertex_check_request(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_vertex_check_read(const BiCall *call, const BiExchange *ex);

#endif							/* BI_VERTEX_CHECK_H */
