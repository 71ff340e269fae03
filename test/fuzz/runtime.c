/*
 * test/fuzz/runtime.c: as much of a PostgreSQL server as the fuzzed files call.
 *
 * libpgcommon and libpgport are the real ones (encodings, StringInfo, hashes, JSON's
 * lexer, printf).  What only a server has stands here, smaller but to the same contracts:
 *
 * - palloc is malloc, a chunk each, so that AddressSanitizer sees every overrun and every
 *   use of what was freed.  There is one memory context, reset after each input.
 * - ereport(ERROR) jumps to the innermost PG_TRY; where there is none it is a finding.
 * - Temporary files are memory.
 *
 * Lists, hash tables, numbers and patterns stand in library.c.
 */
#include "postgres.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#define STACK_MAX (4 * 1024 * 1024)

int			temp_file_limit = -1;

/* ---- memory ---- */

/* Before each chunk's bytes, poisoned, so that writing before them is seen too. */
typedef struct Chunk
{
	struct Chunk *prev;
	struct Chunk *next;
	size_t		size;
	size_t		unused;			/* keeps what follows aligned */
} Chunk;

static Chunk chunks = {&chunks, &chunks};	/* the head of a ring */
static MemoryContextData the_context;
MemoryContext CurrentMemoryContext = &the_context;

extern void __asan_poison_memory_region(const volatile void *addr, size_t size);

#define UNCHECKED __attribute__((no_sanitize("address")))

UNCHECKED static void
link_chunk(Chunk *chunk, size_t size)
{
	chunk->size = size;
	chunk->prev = &chunks;
	chunk->next = chunks.next;
	chunks.next->prev = chunk;
	chunks.next = chunk;
	__asan_poison_memory_region(chunk, sizeof(Chunk));
}

UNCHECKED static void
unlink_chunk(Chunk *chunk)
{
	chunk->prev->next = chunk->next;
	chunk->next->prev = chunk->prev;
}

UNCHECKED static size_t
chunk_size(const void *pointer)
{
	return ((const Chunk *) pointer)[-1].size;
}

void *
MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	Chunk	   *chunk;

	FUZZ_CHECK(context == &the_context);
	if (size > (flags & MCXT_ALLOC_HUGE ? MaxAllocHugeSize : MaxAllocSize))
		elog(ERROR, "invalid memory alloc request size %zu", size);
	chunk = malloc(sizeof(Chunk) + size);
	if (chunk == NULL)
		abort();
	link_chunk(chunk, size);
	memset(chunk + 1, flags & MCXT_ALLOC_ZERO ? 0 : 0x7F, size);
	return chunk + 1;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, 0);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_ZERO);
}

void *
MemoryContextAllocZeroAligned(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_ZERO);
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return MemoryContextAllocExtended(context, size, MCXT_ALLOC_HUGE);
}

/* What is made in a context of its own stays until the next input. */
MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name, Size min, Size init, Size max)
{
	return parent;
}

void
MemoryContextDelete(MemoryContext context)
{
}

void *
palloc(Size size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, 0);
}

void *
palloc0(Size size)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_ZERO);
}

void *
palloc_extended(Size size, int flags)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, size, flags);
}

void
pfree(void *pointer)
{
	unlink_chunk((Chunk *) pointer - 1);
	free((Chunk *) pointer - 1);
}

/* Always moves: who keeps the old pointer is seen. */
static void *
move_chunk(void *pointer, Size size, int flags)
{
	void	   *moved = palloc_extended(size, flags);

	memcpy(moved, pointer, Min(chunk_size(pointer), size));
	pfree(pointer);
	return moved;
}

void *
repalloc(void *pointer, Size size)
{
	return move_chunk(pointer, size, 0);
}

void *
repalloc_huge(void *pointer, Size size)
{
	return move_chunk(pointer, size, MCXT_ALLOC_HUGE);
}

char *
MemoryContextStrdup(MemoryContext context, const char *string)
{
	size_t		size = strlen(string) + 1;

	return memcpy(MemoryContextAlloc(context, size), string, size);
}

char *
pstrdup(const char *string)
{
	return MemoryContextStrdup(CurrentMemoryContext, string);
}

char *
pnstrdup(const char *string, Size len)
{
	return fuzz_copy(string, strnlen(string, len));
}

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback)
{
	callback->next = context->reset_cbs;
	context->reset_cbs = callback;
}

UNCHECKED static void
reset_context(void)
{
	while (the_context.reset_cbs)
	{
		MemoryContextCallback *callback = the_context.reset_cbs;

		the_context.reset_cbs = callback->next;
		callback->func(callback->arg);
	}
	while (chunks.next != &chunks)
		pfree(chunks.next + 1);
}

/* ---- errors ---- */

sigjmp_buf *PG_exception_stack = NULL;
ErrorContextCallback *error_context_stack = NULL;
FuzzError	fuzz_error;

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	if (fuzz_error.message[0])
		fprintf(stderr, "the last error was: %s %s %s\n", fuzz_error.message, fuzz_error.detail,
				fuzz_error.hint);
	abort();
}

bool
errstart(int elevel, const char *domain)
{
	memset(&fuzz_error, 0, sizeof(fuzz_error));
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	if (PG_exception_stack == NULL)
		fuzz_fail(filename, lineno, "no ereport leaves this routine");
	pg_re_throw();
}

void
pg_re_throw(void)
{
	siglongjmp(*PG_exception_stack, 1);
}

int
errcode(int sqlerrcode)
{
	fuzz_error.code = sqlerrcode;
	return 0;
}

int
errcode_for_file_access(void)
{
	return errcode(ERRCODE_IO_ERROR);
}

#define FORMAT(field) \
	do { \
		va_list		args; \
		va_start(args, fmt); \
		vsnprintf(fuzz_error.field, sizeof(fuzz_error.field), fmt, args); \
		va_end(args); \
		return 0; \
	} while (0)

int errmsg(const char *fmt,...) { FORMAT(message); }
int errmsg_internal(const char *fmt,...) { FORMAT(message); }
int errdetail(const char *fmt,...) { FORMAT(detail); }
int errdetail_internal(const char *fmt,...) { FORMAT(detail); }
int errhint(const char *fmt,...) { FORMAT(hint); }

bool
fuzz_try(void (*body) (void *arg), void *arg)
{
	volatile bool good = true;

	PG_TRY();
	{
		body(arg);
	}
	PG_CATCH();
	{
		good = false;
	}
	PG_END_TRY();
	FUZZ_CHECK(good || (fuzz_error.code != 0 && fuzz_error.message[0] != '\0'));
	return good;
}

#ifdef USE_ASSERT_CHECKING
#if PG_VERSION_NUM >= 160000
void
ExceptionalCondition(const char *condition, const char *file, int line)
#else
void
ExceptionalCondition(const char *condition, const char *type, const char *file, int line)
#endif
{
	fuzz_fail(file, line, condition);
}
#endif

/* ---- a process ---- */

volatile sig_atomic_t InterruptPending = false;
ResourceOwner CurrentResourceOwner = NULL;
bool		fuzz_superuser;
int64		fuzz_interruptions;
bool		check_function_bodies = true;
static const char *stack_base;

void
ProcessInterrupts(void)
{
	fuzz_interruptions++;
}

bool
stack_is_too_deep(void)
{
	return stack_base - (const char *) __builtin_frame_address(0) > STACK_MAX;
}

ResourceOwner
ResourceOwnerCreate(ResourceOwner parent, const char *name)
{
	return palloc0(1);
}

void
ResourceOwnerRelease(ResourceOwner owner, ResourceReleasePhase phase, bool commit, bool top)
{
}

void
ResourceOwnerDelete(ResourceOwner owner)
{
	pfree(owner);
}

bool
superuser(void)
{
	return fuzz_superuser;
}

bool
has_privs_of_role(Oid member, Oid role)
{
	return fuzz_superuser;
}

Oid
GetUserId(void)
{
	return 10;
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t len)
{
	stack_base = __builtin_frame_address(0);
	memset(&fuzz_error, 0, sizeof(fuzz_error));
	fuzz_superuser = false;
	fuzz_one((const char *) data, len);
	FUZZ_CHECK(PG_exception_stack == NULL && CurrentMemoryContext == &the_context &&
			   CurrentResourceOwner == NULL);
	reset_context();
	return 0;
}

/* ---- files ---- */

bool
AcquireExternalFD(void)
{
	return true;
}

void
ReleaseExternalFD(void)
{
}

File
OpenTemporaryFile(bool interXact)
{
	int			fd = memfd_create("spool", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	return fd;
}

int
FileGetRawDesc(File file)
{
	return file;
}

void
FileClose(File file)
{
	close(file);
}

int
OpenTransientFile(const char *name, int flags)
{
	return open(name, flags);
}

int
CloseTransientFile(int fd)
{
	return close(fd);
}

/* ---- the server's encoding is UTF-8 ---- */

int
GetDatabaseEncoding(void)
{
	return PG_UTF8;
}

char *
pg_server_to_any(const char *s, int len, int encoding)
{
	return unconstify(char *, s);
}

bool
pg_verify_mbstr(int encoding, const char *mbstr, int len, bool noError)
{
	int			good = pg_encoding_verifymbstr(encoding, mbstr, len);

	if (good != len && !noError)
		ereport(ERROR, errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				errmsg("invalid byte sequence"));
	return good == len;
}

int
pg_encoding_mb2wchar_with_len(int encoding, const char *from, pg_wchar *to, int len)
{
	return pg_wchar_table[encoding].mb2wchar_with_len((const unsigned char *) from, to, len);
}

int
pg_encoding_mbcliplen(int encoding, const char *text, int len, int limit)
{
	int			used = 0;

	while (used < len && text[used] != '\0')
	{
		int			size = pg_encoding_mblen(encoding, text + used);

		if (used + size > Min(len, limit))
			break;
		used += size;
	}
	return used;
}
