/*
 * store/note.h: what rows held before the UPDATE or DELETE of a write-back.
 */
#ifndef BI_NOTE_H
#define BI_NOTE_H

#include "postgres.h"

/*
 * The notes of one statement.  Made by bi_note_new; batch_note, which the statement calls for each
 * row, writes it.  Of an UPDATE it has the last note, which batch_noted takes; of a DELETE all of
 * them, on disk if they are large.
 */
typedef struct BiNotes BiNotes;

/* An UPDATE notes no more than about this many bytes, unless they are of one row. */
#define BI_NOTE_BYTES (16 * 1024 * 1024)

/* True if the role may call batch_note, batch_noted and batch_fingerprint. */
extern bool bi_note_may(Oid role);

/* Returns an empty place for notes, in the current context.  all: it keeps all notes, until the end
 * of the (sub)transaction. */
extern BiNotes *bi_note_new(bool all);

/* Opens the place, which is the last one now until it is closed. */
extern void bi_note_open(BiNotes *notes);

/* Returns the number by which the statement names the place.  Nobody guesses it. */
extern int64 bi_note_number(const BiNotes *notes);

/* Closes the place, which is the one that was opened last.  Call it in any case, after an error
 * too.  The notes stay. */
extern void bi_note_close(BiNotes *notes);

/* Of a place that keeps all notes: reads the next one, palloc'd.  *row is NULL for one that
 * cannot be kept.  False after the last one. */
extern bool bi_note_next(BiNotes *notes, int *seq, char **row);

/* Removes the notes of such a place from memory and disk.  An error removes them, too. */
extern void bi_note_end(BiNotes *notes);

#endif							/* BI_NOTE_H */
