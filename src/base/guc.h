/*
 * base/guc.h: the settings of the extension.
 */
#ifndef BI_GUC_H
#define BI_GUC_H

#include "postgres.h"

/* The largest value of batchinf.max_visits_per_database. */
#define BI_GUC_DATABASE_VISITS 8

extern bool bi_guc_enabled;
extern int	bi_guc_max_visits;
extern int	bi_guc_max_visits_per_database;
extern int	bi_guc_connect_timeout; /* ms */
extern int	bi_guc_stall_timeout;	/* ms */
extern int	bi_guc_settle_time; /* ms */
extern int	bi_guc_write_timeout;	/* ms */
extern int	bi_guc_write_give_up;	/* s */
extern int	bi_guc_max_result_size;	/* kB; 0: automatic */
extern int	bi_guc_sweep_interval;	/* s */
extern int	bi_guc_keep_inputs; /* s; -1: for ever */
extern int	bi_guc_keep_results;	/* the same */
extern int	bi_guc_keep_spend;	/* s; -1: for ever */
extern char *bi_guc_proxy;		/* may have a password: never show it */
extern char *bi_guc_ca_file;
extern char *bi_guc_allowed_http_hosts;	/* names separated by commas */

extern char *bi_guc_max_job_cost;	/* US dollars; empty: no limit */
extern char *bi_guc_carry_settings; /* patterns separated by commas */

/* Defines the settings.  For _PG_init, once in a process. */
extern void bi_guc_define(void);

/* True if host is in batchinf.allowed_http_hosts.  Case does not matter, nor do brackets around
 * IPv6. */
extern bool bi_guc_http_host_allowed(const char *host);

/* True if a custom setting of that name is stored with a job (batchinf.carry_settings): one of the
 * patterns matches, and none of those with a ! before them. */
extern bool bi_guc_carries(const char *name);

#endif							/* BI_GUC_H */
