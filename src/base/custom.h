/*
 * base/custom.h: custom settings, those with a dot in their name that no module has defined.
 */
#ifndef BI_CUSTOM_H
#define BI_CUSTOM_H

#include "postgres.h"

#include "nodes/pg_list.h"

typedef struct BiCustom
{
	char	   *name;
	char	   *value;			/* never NULL */
	bool		is_set;			/* else empty, as current_setting has one that was reset or was only
								 * named in this session, by ALTER ROLE for instance */
} BiCustom;

/* Returns those that this process has, palloc'd.  A name that is no text is left out, for no SQL
 * can say it; a value may be any bytes. */
extern List *bi_custom_list(void);

/* True if the bytes are text in the database's encoding. */
extern bool bi_custom_is_text(const char *bytes);

/* True if a module has defined a setting of that name in this process; case does not matter. */
extern bool bi_custom_is_real(const char *name);

/* Makes them all the custom settings that are not empty, until the caller's nest level of settings
 * ends, with the rights of the current user.  Names that are real here, or reserved, or no names
 * of custom settings at all, are left out without a word. */
extern void bi_custom_force(const List *settings);

#endif							/* BI_CUSTOM_H */
