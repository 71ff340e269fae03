/*
 * test/fuzz/fuzz.h: what a target may use.
 *
 * A target is a file target_NAME.c with a routine fuzz_one.  Whatever it pallocs is freed
 * after each input.  What it finds is told by FUZZ_CHECK, or by the sanitizers.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "postgres.h"

#include "provider/provider.h"

/* One input.  An ereport that leaves it is a finding. */
extern void fuzz_one(const char *data, size_t len);

/* runtime.c */

/* Ends the process, as a finding. */
extern void fuzz_fail(const char *file, int line, const char *what) pg_attribute_noreturn();

#define FUZZ_CHECK(condition) \
	((condition) ? (void) 0 : fuzz_fail(__FILE__, __LINE__, #condition))

typedef struct FuzzError
{
	int			code;			/* SQLSTATE, 0: none was given */
	char		message[4096];
	char		detail[4096];
	char		hint[4096];
} FuzzError;

/* The error that fuzz_try caught last. */
extern FuzzError fuzz_error;

/* Calls body; false where it ereported, as a server would: with an errcode and words. */
extern bool fuzz_try(void (*body) (void *arg), void *arg);

/* Is the current user one? */
extern bool fuzz_superuser;

/* How often a cancelled query could have ended, while InterruptPending is set. */
extern int64 fuzz_interruptions;

/* input.c */

/* A part of an input that is not read yet. */
typedef struct FuzzInput
{
	const char *data;
	size_t		len;
} FuzzInput;

/* The next line without its end, as a string; all that is left where there is none.  A NUL
 * byte ends it too. */
extern char *fuzz_line(FuzzInput *input);

/* The next word of a line, "" where there are no more. */
extern char *fuzz_word(char **line);

/* Exactly these bytes and a NUL, so that a read behind them is seen. */
extern char *fuzz_copy(const char *data, size_t len);

/* All that is left, as a string. */
extern char *fuzz_rest(FuzzInput *input);

/* What stands before the next line "&& STATUS", which begins the next reply; the input goes on
 * behind it, with *status its status, or NULL where there is none. */
extern FuzzInput fuzz_section(FuzzInput *input, char **status);

/* The number in the list that ends with NULL; any word stands for one of them. */
extern int	fuzz_choose(const char *word, const char *const *names);

/* Valid UTF-8 of at most limit bytes; words are one line, too, as we keep foreign ones. */
extern void fuzz_check_utf8(const char *text, size_t limit);
extern void fuzz_check_words(const char *text, size_t limit);

/* call.c */

/* The provider of that name; any word stands for one of them. */
extern const BiProvider *fuzz_provider(const char *word);

/* A call to it that its validator and submit would let pass, of the shape (0-15) and model that
 * the line goes on with; there is a model also where it names none. */
extern BiCall *fuzz_call(const BiProvider *provider, char **line);

/* What its user mapping means. */
extern char *fuzz_secret(const BiProvider *provider, const BiCall *call);

/* An exchange with something to upload. */
extern BiExchange *fuzz_exchange(void);

/* Its reply: header lines, an empty line and the body, which is exactly as long as it is.
 * status is a number, or unsent or broken. */
extern BiExchange *fuzz_reply(BiExchange *ex, const char *status, FuzzInput reply);

/* What every verdict has; is it OK? */
extern bool fuzz_check_verdict(BiVerdict verdict);

#endif							/* FUZZ_H */
