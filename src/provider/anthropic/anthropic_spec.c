/*
 * provider/anthropic/anthropic_spec.c: from a job to its requests in a message batch.
 *
 * Knows the envelope of a request in a batch; its body is in shape/claude.c.
 */
#include "postgres.h"

#include "provider/anthropic/anthropic_spec.h"
#include "provider/shape/claude.h"

char *
bi_anthropic_spec_refuse_input(const BiSpec *spec, const char *input)
{
	return bi_claude_refuse_input(spec, input, NULL);
}

void
bi_anthropic_spec_frame(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	StringInfoData head;
	StringInfoData tail;

	initStringInfo(&head);
	initStringInfo(&tail);
	appendStringInfoString(&head, "\",\"params\":");
	bi_claude_append_head(&head, spec, server, NULL);
	bi_claude_append_tail(&tail, spec);
	appendStringInfoChar(&tail, '}');
	frame->nparts = 3;
	frame->part[0] = (BiFramePart) {pstrdup("{\"custom_id\":\""), BI_SLOT_ID};
	frame->part[1] = (BiFramePart) {head.data, bi_claude_slot(spec)};
	frame->part[2] = (BiFramePart) {tail.data, BI_SLOT_NONE};
	frame->separator = ",\n";
}

void
bi_anthropic_spec_frame_body(const BiSpec *spec, const BiServer *server, BiFrame *frame)
{
	bi_claude_frame_body(spec, server, NULL, frame);
}
