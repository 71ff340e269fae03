/*
 * provider/body.h: what is wrong with bodies, messages and params, whichever API they are for.
 */
#ifndef BI_BODY_H
#define BI_BODY_H

#include "base/json.h"
#include "provider/provider.h"

/*
 * Returns why params, parsed from the job's, cannot be used at all: they are not an object, or the
 * query returns whole bodies.  NULL if the job has none or they may be used.
 */
extern char *bi_body_refuse_params(const BiSpec *spec, const BiJson *params);

/*
 * Returns why messages, parsed from an input, are not a list of at least one, each of which refuse
 * accepts; refuse gets their numbers, from 1.  NULL if they are.
 */
extern char *bi_body_refuse_messages(const BiJson *messages,
									 char *(*refuse) (const BiJson *message, int number));

/* Returns why a message has no role that an API takes which has the system prompt apart; NULL if it
 * has one. */
extern char *bi_body_refuse_role(const BiJson *message, int number);

/*
 * Returns why a body that must have this member cannot be sent, with whose it probably is; NULL if
 * the body has the member.
 */
extern char *bi_body_refuse_without(const BiJson *body, const char *member);

/* Sets member "model" of a body, a JSON object, to that name. */
extern void bi_body_set_model(StringInfo body, const char *model);

/* Returns ": this one is …" if the body shows whose it is, else "". */
extern const char *bi_body_whose(const BiJson *body);

#endif							/* BI_BODY_H */
