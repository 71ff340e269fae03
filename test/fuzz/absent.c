/*
 * test/fuzz/absent.c: names that the fuzzed files mention in routines which no target calls.
 */
#include <stdlib.h>

#define ABSENT(name) void name(void); void name(void) { abort(); }

ABSENT(DefineCustomBoolVariable)
ABSENT(DefineCustomIntVariable)
ABSENT(DefineCustomStringVariable)
ABSENT(GUC_check_errdetail_string)
ABSENT(GUC_check_errhint_string)
ABSENT(GetForeignServer)
ABSENT(GetForeignServerByName)
ABSENT(GetForeignServerExtended)
ABSENT(GetSystemIdentifier)
ABSENT(MarkGUCPrefixReserved)
ABSENT(ReleaseSysCache)
ABSENT(ScanKeyInit)
ABSENT(SearchSysCache2)
ABSENT(SearchSysCacheExists)
ABSENT(SysCacheGetAttr)
ABSENT(aclcheck_error)
ABSENT(format_elog_string)
ABSENT(getExtensionOfObject)
ABSENT(get_extension_oid)
ABSENT(get_foreign_server_oid)
ABSENT(object_aclcheck)
ABSENT(pg_do_encoding_conversion_buf)
ABSENT(pg_foreign_server_aclcheck)
ABSENT(pre_format_elog_string)
ABSENT(superuser_arg)
ABSENT(systable_beginscan)
ABSENT(systable_endscan)
ABSENT(systable_getnext)
ABSENT(table_close)
ABSENT(table_open)
