/*
 * base/heft.h: how much memory the tree of a JSON text takes, before it is parsed.
 */
#ifndef BI_HEFT_H
#define BI_HEFT_H

#include "postgres.h"

/* No tree is made that needs more: see bi_json_parse. */
#define BI_HEFT_MAX ((size_t) 512 * 1024 * 1024)

/* True if the tree of the text needs more than max bytes of memory.  The text need not be JSON. */
extern bool bi_heft_exceeds(const char *text, size_t len, size_t max);

#endif							/* BI_HEFT_H */
