/*
 * base/compat.h: the only place that asks for a version, of PostgreSQL or of
 * libcurl.  Supported: PostgreSQL 15 and newer.
 */
#ifndef BI_COMPAT_H
#define BI_COMPAT_H

#include "postgres.h"

#include "catalog/pg_database.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_proc.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/guc_tables.h"
#include "utils/tuplesort.h"

#if PG_VERSION_NUM < 150000
#error "batchinf needs PostgreSQL 15 or newer"
#endif

/* 16 moved what looks into a varlena out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 gave every object class the same ACL check. */
#if PG_VERSION_NUM >= 160000
#define bi_server_aclcheck(oid, role) \
	object_aclcheck(ForeignServerRelationId, (oid), (role), ACL_USAGE)
#define bi_namespace_aclcheck(oid, role) \
	object_aclcheck(NamespaceRelationId, (oid), (role), ACL_USAGE)
#define bi_function_aclcheck(oid, role) \
	object_aclcheck(ProcedureRelationId, (oid), (role), ACL_EXECUTE)
#define bi_database_ownercheck(oid, role) object_ownercheck(DatabaseRelationId, (oid), (role))
#define bi_tuplesort_getdatum(state, val, isnull) \
	tuplesort_getdatum((state), true, true, (val), (isnull), NULL)
#else
#define bi_server_aclcheck(oid, role) pg_foreign_server_aclcheck((oid), (role), ACL_USAGE)
#define bi_namespace_aclcheck(oid, role) pg_namespace_aclcheck((oid), (role), ACL_USAGE)
#define bi_function_aclcheck(oid, role) pg_proc_aclcheck((oid), (role), ACL_EXECUTE)
#define bi_database_ownercheck(oid, role) pg_database_ownercheck((oid), (role))
#define bi_tuplesort_getdatum(state, val, isnull) \
	tuplesort_getdatum((state), true, (val), (isnull), NULL)
#endif

/* 16 renamed the function that returns the local copy of a backend's status; i counts from 1. */
#if PG_VERSION_NUM >= 160000
#define bi_local_beentry(i) pgstat_get_local_beentry_by_index(i)
#else
#define bi_local_beentry(i) pgstat_fetch_stat_local_beentry(i)
#endif

/* 17 can keep slots that a standby has synchronized. */
#if PG_VERSION_NUM >= 170000
#define bi_drop_temporary_slots() ReplicationSlotCleanup(false)
#else
#define bi_drop_temporary_slots() ReplicationSlotCleanup()
#endif

/* 18 has an entry of its own for the expressions of GROUP BY. */
#if PG_VERSION_NUM >= 180000
#define bi_is_group_entry(rte) ((rte)->rtekind == RTE_GROUP)
#define bi_group_expression(rte, attnum) ((Node *) list_nth((rte)->groupexprs, (attnum) - 1))
#else
#define bi_is_group_entry(rte) false
#define bi_group_expression(rte, attnum) NULL
#endif

/* Returns all settings of this process, placeholders too.  Below 16 it is PostgreSQL's own array,
 * which moves when a setting is added. */
static inline struct config_generic **
bi_guc_variables(int *count)
{
#if PG_VERSION_NUM >= 160000
	return get_guc_variables(count);
#else
	*count = GetNumConfigOptions();
	return get_guc_variables();
#endif
}

/* The connection limit that marks a database whose DROP was interrupted, since the minor releases
 * of August 2023. */
#ifdef DATCONNLIMIT_INVALID_DB
#define BI_DATCONNLIMIT_INVALID DATCONNLIMIT_INVALID_DB
#else
#define BI_DATCONNLIMIT_INVALID (-2)
#endif

/* 18 says it before the declaration. */
#ifndef pg_noreturn
#define pg_noreturn __attribute__((noreturn))
#endif

/* 19 can end a worker by itself when its database is wanted. */
#ifdef BGWORKER_INTERRUPTIBLE
#define BI_BGWORKER_INTERRUPTIBLE BGWORKER_INTERRUPTIBLE
#else
#define BI_BGWORKER_INTERRUPTIBLE 0
#endif

/* For transfer.h, which includes libcurl's header before this one.  7.85 takes protocols as a
 * string; since 7.87 libcurl does not wait for a resolver that hangs (CURLOPT_QUICK_EXIT). */
#if defined(LIBCURL_VERSION_NUM) && LIBCURL_VERSION_NUM < 0x075700
#error "batchinf needs libcurl 7.87 or newer"
#endif

/* Makes a lexer of text in the server encoding; it checks escapes. */
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

static inline JsonLexContext *
bi_json_lexer(const char *text, size_t len)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, text, len, GetDatabaseEncoding(), true);
#else
	return makeJsonLexContextCstringLen(unconstify(char *, text), len, GetDatabaseEncoding(), true);
#endif
}

/* Returns how much memory this process uses.  PostgreSQL counts memory contexts only.  The C
 * library also counts that of other languages and, before 16, that of settings. */
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "utils/memutils.h"

static inline Size
bi_memory_used(void)
{
	Size		contexts = MemoryContextMemAllocated(TopMemoryContext, true);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
	struct mallinfo2 info = mallinfo2();

	return Max(contexts, info.uordblks + info.hblkhd);
#else
	return contexts;
#endif
}

/* Since 16 what the parser calls returns an error code. */
#if PG_VERSION_NUM >= 160000
#define BI_JSON_ACTION JsonParseErrorType
#define BI_JSON_ACTION_END return JSON_SUCCESS
#else
#define BI_JSON_ACTION void
#define BI_JSON_ACTION_END return
#endif

#endif							/* BI_COMPAT_H */
