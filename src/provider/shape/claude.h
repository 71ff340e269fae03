/*
 * provider/shape/claude.h: requests of Claude's Messages API.
 */
#ifndef BI_CLAUDE_H
#define BI_CLAUDE_H

#include "provider/provider.h"

/* The version of the API for a server that does not set api_version. */
#define BI_CLAUDE_VERSION "2023-06-01"

/* As in provider.h. */
extern char *bi_claude_refuse_job(const BiSpec *spec, const BiServer *server);

/*
 * As in provider.h.  version: the "anthropic_version" that a body must have if Claude is served
 * elsewhere; NULL: at Anthropic itself, where the body has the model instead.
 */
extern char *bi_claude_refuse_input(const BiSpec *spec, const char *input, const char *version);

/* Appends what a request's body has before its input, and after it.  version as above. */
extern void bi_claude_append_head(StringInfo out, const BiSpec *spec, const BiServer *server,
								  const char *version);
extern void bi_claude_append_tail(StringInfo out, const BiSpec *spec);

/* Sets the shape of a body alone, without a line's envelope.  version as above. */
extern void bi_claude_frame_body(const BiSpec *spec, const BiServer *server, const char *version,
								 BiFrame *frame);

/* Returns how the input goes between the two. */
extern BiSlot bi_claude_slot(const BiSpec *spec);

#endif							/* BI_CLAUDE_H */
