/*
 * worker/version.h: is the SQL side of the same version as the library?
 */
#ifndef BI_VERSION_H
#define BI_VERSION_H

#include "postgres.h"

/* Is the extension in this database?  *why: NULL, or that its version is not the library's;
 * then no work is done, for each release's tables are known to its own code only.  Needs a
 * transaction. */
extern bool bi_version_found(char **why);

#define BI_VERSION_HINT "Run ALTER EXTENSION batchinf UPDATE in that database, or restart the server after an upgrade of its files."

#endif							/* BI_VERSION_H */
