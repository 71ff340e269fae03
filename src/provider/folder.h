/*
 * provider/folder.h: a chunk's folder in an object store.
 *
 * Each chunk has a folder of its own, storage_url/batchinf/INTENT/.  It holds the input,
 * input.jsonl, and below it the results of the chunk's batches.  A place is the address of an
 * object or a folder, such as s3://BUCKET/KEY or gs://BUCKET/NAME.
 */
#ifndef BI_FOLDER_H
#define BI_FOLDER_H

#include "provider/provider.h"

/* The chunk's reference that holds its input's place. */
#define BI_FOLDER_INPUT "input"

/* Returns the place of name in the folder that all chunks of the server share, palloc'd. */
extern char *bi_folder_root(const BiServer *server, const char *name);

/* Returns the place to which the chunk's input is uploaded, palloc'd. */
extern char *bi_folder_input(const BiCall *call);

/*
 * Returns the place of name in the chunk's folder, palloc'd.  The folder is where the input was
 * uploaded, even if the server's storage_url has changed since.
 */
extern char *bi_folder_place(const BiCall *call, const char *name);

/* A store's reader of one page of a list: see bi_s3_reply_read_list and bi_gcs_read_list. */
typedef bool (*BiFolderReader) (const BiExchange *ex, const char *place, List **names,
								char **token);

/*
 * Reads one page of the folder's list, adds its names to the chunk's objects (objects.h) and sets
 * *token to the next page's token, NULL after the last page.  The first page, which is the one
 * without a cursor, replaces the objects.  UNCLEAR if the page cannot be read, or if there are too
 * many objects.
 */
extern BiVerdict bi_folder_take_page(const BiCall *call, const BiExchange *ex,
									 BiFolderReader read, List **refs, char **token);

/* Returns ABSENT: there are no results at that place. */
extern BiVerdict bi_folder_no_results(const BiExchange *ex, const char *place);

#endif							/* BI_FOLDER_H */
