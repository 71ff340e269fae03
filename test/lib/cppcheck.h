/*
 * test/lib/cppcheck.h: what cppcheck has to know of PostgreSQL's macros, in place of its headers.
 */
#define PG_VERSION_NUM 150000
#define LIBCURL_VERSION_NUM 0x080000
#define pg_attribute_printf(f, a)
#define pg_attribute_noreturn()
#define PGDLLEXPORT
#define PG_FUNCTION_ARGS FunctionCallInfo fcinfo
#define PG_FUNCTION_INFO_V1(function) extern Datum function(PG_FUNCTION_ARGS)
#define PG_MODULE_MAGIC extern int pg_module_magic
#define ERROR 21
#define FATAL 22
#define ereport(level, ...) do { (void) (__VA_ARGS__); if ((level) >= ERROR) abort(); } while (0)
#define elog(level, ...) do { (void) printf(__VA_ARGS__); if ((level) >= ERROR) abort(); } while (0)
#define Assert(condition) do { if (!(condition)) abort(); } while (0)
#define PG_TRY() do { if (setjmp(jump) == 0) {
#define PG_CATCH() } else {
#define PG_FINALLY() } {
#define PG_END_TRY() } } while (0)
#define foreach(cell, list) for (cell = list_head(list); cell != NULL; cell = lnext(list, cell))
#define dlist_foreach(iter, head) \
	for ((iter).cur = (head)->head.next; (iter).cur != &(head)->head; (iter).cur = (iter).cur->next)
#define dlist_foreach_modify(iter, head) dlist_foreach(iter, head)
#define INT64_FORMAT "%ld"
#define UINT64_FORMAT "%lu"
#define INT64CONST(x) (x##L)
#define CppAsString2(x) #x
