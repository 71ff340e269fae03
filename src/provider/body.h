/*
 * provider/body.h: request bodies that are for another API than the one they are sent to.
 */
#ifndef BI_BODY_H
#define BI_BODY_H

#include "base/json.h"

/*
 * Why a body that must have this member cannot be sent, with whose it probably is; NULL if the
 * body has the member.
 */
extern char *bi_body_refuse_without(const BiJson *body, const char *member);

/* ": this one is …", if it shows whose the body is, else "". */
extern const char *bi_body_whose(const BiJson *body);

#endif							/* BI_BODY_H */
