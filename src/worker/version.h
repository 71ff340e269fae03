/*
 * worker/version.h: do the extension's SQL objects have the version of the library?
 */
#ifndef BI_VERSION_H
#define BI_VERSION_H

#include "postgres.h"

/*
 * True if the extension is in this database.  *why is NULL, or a sentence that says that its
 * version is not the library's.  Then no work may be done: only the code of the same release knows
 * its tables.  Needs a transaction.
 */
extern bool bi_version_found(char **why);

/* Raises an error with this message if the extension has another version than the library.  Needs a
 * transaction. */
extern void bi_version_require(const char *message);

#define BI_VERSION_HINT \
	"Run ALTER EXTENSION batchinf UPDATE in that database," \
	" or restart the server after an upgrade of its files."

#endif							/* BI_VERSION_H */
