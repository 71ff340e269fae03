/*
 * provider/google/google_document.h: the JSON documents in which Google hands out credentials.
 */
#ifndef BI_GOOGLE_DOCUMENT_H
#define BI_GOOGLE_DOCUMENT_H

#include "base/json.h"

/* What a document's "type" says: a service account's key, a user's own credentials, the
 * configuration of an identity of another provider. */
#define BI_GOOGLE_ACCOUNT "service_account"
#define BI_GOOGLE_USER "authorized_user"
#define BI_GOOGLE_EXTERNAL "external_account"

/* A type of ours: {"type":"instance","url":…} is the account of the database server's machine.  A
 * document that a user gives may not have it. */
#define BI_GOOGLE_INSTANCE "instance"

/* Returns the member of that name, palloc'd; NULL if it is not a string, is empty or has a NUL
 * byte in it. */
extern char *bi_google_document_text(const BiJson *json, const char *name);

/*
 * Returns the subject token in what a "credential_source" gave, palloc'd; NULL if there is none
 * that can go into a request.  source says whether text is the token or a JSON object that has it.
 */
extern char *bi_google_document_subject(const BiJson *source, const char *text, size_t len);

#endif							/* BI_GOOGLE_DOCUMENT_H */
