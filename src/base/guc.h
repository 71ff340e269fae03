/*
 * base/guc.h: the settings of the extension.
 */
#ifndef BI_GUC_H
#define BI_GUC_H

#include "postgres.h"

extern bool bi_guc_enabled;
extern int	bi_guc_max_visits;
extern int	bi_guc_connect_timeout; /* ms */
extern int	bi_guc_stall_timeout;	/* ms */
extern int	bi_guc_settle_time; /* ms */
extern int	bi_guc_write_timeout;	/* ms */
extern int	bi_guc_write_give_up;	/* s */
extern int	bi_guc_max_result_size;	/* kB; 0: automatic */
extern int	bi_guc_sweep_interval;	/* s */
extern char *bi_guc_proxy;		/* may hold a password: never show it */
extern char *bi_guc_ca_file;
extern char *bi_guc_allowed_http_hosts;	/* names separated by commas */

extern char *bi_guc_carry_settings; /* patterns separated by commas */

/* Called once a process, by _PG_init. */
extern void bi_guc_define(void);

/* Is host, as an URL has it (case does not matter, nor brackets around IPv6), in
 * batchinf.allowed_http_hosts? */
extern bool bi_guc_http_host_allowed(const char *host);

/* True if batchinf.carry_settings lets a custom setting of that name travel with a job: one of
 * its patterns matches, and none of those with a ! before them. */
extern bool bi_guc_carries(const char *name);

#endif							/* BI_GUC_H */
