/*
 * test/unit/unit.h: what the unit tests' files share.
 */
#ifndef UNIT_H
#define UNIT_H

#include "base/compat.h"
#include "base/exchange.h"
#include "base/json.h"
#include "provider/provider.h"

extern BiJson *unit_parse(const bytea *bytes);
extern void unit_add_headers(BiExchange *ex, const char *lines);

/* A call from JSON: {"spec":{…},"server":{…},"chunk":{…}}, with defaults for what is not
 * there; provider's name is the server's. */
extern BiCall *unit_call_read(const BiJson *json);
extern const BiProvider *unit_call_provider(const char *name);

/* Append JSON members, each with a comma before it except the first. */
extern void unit_call_add_text(StringInfo out, const char *key, const char *value);
extern void unit_call_add_int(StringInfo out, const char *key, int64 value);
extern void unit_call_add_refs(StringInfo out, const char *key, const List *refs);

#endif							/* UNIT_H */
