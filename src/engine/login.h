/*
 * engine/login.h: tokens that keys were exchanged for, in this process's memory only.
 */
#ifndef BI_LOGIN_H
#define BI_LOGIN_H

#include "store/server.h"

/* Returns the token of this server, mapping and key, palloc'd; NULL if there is none, or if it is
 * time to renew it. */
extern char *bi_login_find(const BiServer *server, const char *secret);

/* Returns the token as long as it is good, palloc'd, or NULL: for use after a renewal has failed,
 * which is then not tried again for a minute. */
extern char *bi_login_spare(const BiServer *server, const char *secret);

/* Keeps a copy of the token for its lifetime, in seconds. */
extern void bi_login_keep(const BiServer *server, const char *secret, const char *token,
						  int lifetime);

/* Forgets the token, which was refused. */
extern void bi_login_drop(const BiServer *server);

/* Forgets all tokens: a session goes on after batch_work. */
extern void bi_login_forget(void);

#endif							/* BI_LOGIN_H */
