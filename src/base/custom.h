/*
 * base/custom.h: custom settings, those with a dot in their name that no module has defined.
 */
#ifndef BI_CUSTOM_H
#define BI_CUSTOM_H

#include "postgres.h"

#include "nodes/pg_list.h"

/* One custom setting of this process, as a copy in the context of the list that it is in. */
typedef struct BiCustom
{
	char	   *name;
	char	   *value;			/* never NULL */
	/* False for one that is empty because it was reset, or only named in this session (for instance
	 * by ALTER ROLE). */
	bool		is_set;
} BiCustom;

/* Returns the custom settings of this process, palloc'd.  A name that is not text is left out: SQL
 * cannot name it.  A value may be any bytes. */
extern List *bi_custom_list(void);

/* True if the bytes are text in the database's encoding. */
extern bool bi_custom_is_text(const char *bytes);

/* True if a module has defined a setting of that name in this process; case does not matter. */
extern bool bi_custom_is_real(const char *name);

/*
 * Makes these the only custom settings that are not empty, until the caller's nest level of
 * settings ends.  Uses the rights of the current user.  Silently leaves out names that a module
 * has defined in this process, reserved names, and names that no custom setting can have.
 */
extern void bi_custom_force(const List *settings);

#endif							/* BI_CUSTOM_H */
