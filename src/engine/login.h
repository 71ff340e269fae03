/*
 * engine/login.h: tokens that keys were exchanged for.  In this process's memory only.
 */
#ifndef BI_LOGIN_H
#define BI_LOGIN_H

#include "store/server.h"

/* The token of this server, mapping and key, palloc'd; NULL: none, or it is time to renew it. */
extern char *bi_login_find(const BiServer *server, const char *secret);

/* The same, where it could not be renewed: as long as it is good, and not to be renewed again at once. */
extern char *bi_login_spare(const BiServer *server, const char *secret);

/* Keeps it for its lifetime, in seconds. */
extern void bi_login_keep(const BiServer *server, const char *secret, const char *token, int lifetime);

/* It was refused. */
extern void bi_login_drop(const BiServer *server);

/* All of them are forgotten: a session goes on after batch_work. */
extern void bi_login_forget(void);

#endif							/* BI_LOGIN_H */
