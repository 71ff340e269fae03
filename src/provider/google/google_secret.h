/*
 * provider/google/google_secret.h: which credentials of Google's a user mapping means.
 */
#ifndef BI_GOOGLE_SECRET_H
#define BI_GOOGLE_SECRET_H

#include "provider/provider.h"

/*
 * Implements secret of BiProviderLogin: the text of a document (google_document.h) that can log in.
 * An external account whose subject token stands in a file has that token as "subject_token".
 */
extern char *bi_google_secret_find(const BiServer *server, const BiHost *host, char **why);

#endif							/* BI_GOOGLE_SECRET_H */
