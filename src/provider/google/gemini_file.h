/*
 * provider/google/gemini_file.h: files of the Gemini Developer API.
 */
#ifndef BI_GEMINI_FILE_H
#define BI_GEMINI_FILE_H

#include "provider/provider.h"

/* The chunk's references: the names of its input file and of its results file. */
#define BI_GEMINI_INPUT "input"
#define BI_GEMINI_OUTPUT "output"

/* Implement the routines of the same names of provider.h. */
extern void bi_gemini_file_upload(const BiCall *call, BiExchange *ex);
extern BiVerdict bi_gemini_file_read_upload(const BiCall *call, const BiExchange *ex, List **refs);
extern bool bi_gemini_file_fetch(const BiCall *call, int part, BiExchange *ex);
extern BiVerdict bi_gemini_file_read_fetch(const BiCall *call, const BiExchange *ex);

/* Returns the name of the chunk's input file, palloc'd, whether the file exists or not. */
extern char *bi_gemini_file_input(const BiChunk *chunk);

#endif							/* BI_GEMINI_FILE_H */
