/*
 * provider/frame.h: the shape of a job's request lines.
 */
#ifndef BI_FRAME_H
#define BI_FRAME_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* What is written between two pieces of fixed text. */
typedef enum BiSlot
{
	BI_SLOT_NONE,
	BI_SLOT_ID,					/* the custom id, which needs no escaping */
	BI_SLOT_TEXT,				/* the input as a JSON string, with its quotes */
	BI_SLOT_JSON,				/* the input as it is: it is JSON */
	BI_SLOT_ELEMENTS			/* the input, a JSON array or object, without its brackets */
} BiSlot;

/* A part of a frame, by value in it: text, then a slot. */
typedef struct BiFramePart
{
	char	   *text;			/* before the slot */
	BiSlot		slot;
} BiFramePart;

#define BI_FRAME_PARTS 6

/*
 * A request line: fixed text with slots.  The provider makes one for a job, palloc'd; it
 * serves for all lines of the job.
 */
typedef struct BiFrame
{
	int			nparts;
	BiFramePart part[BI_FRAME_PARTS];
	const char *separator;		/* between two lines; NULL: each line ends with \n */
} BiFrame;

/* Appends one line to out, with its \n unless the frame has a separator.  input is UTF-8. */
extern void bi_frame_append(StringInfo out, const BiFrame *frame, const char *custom_id,
							const char *input);

/*
 * Makes the frame one of a request's body alone: head, the input in that slot, tail.  It has no id
 * and no end of a line.  The texts become the frame's.
 */
extern void bi_frame_make_body(BiFrame *frame, StringInfo head, BiSlot slot, StringInfo tail);

/* Returns the exact size in bytes of such a line, for an id of id_len characters. */
extern int64 bi_frame_size(const BiFrame *frame, int id_len, const char *input);

#endif							/* BI_FRAME_H */
