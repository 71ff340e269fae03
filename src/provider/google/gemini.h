/*
 * provider/google/gemini.h: the routine table of the Gemini Developer API.
 */
#ifndef BI_GEMINI_H
#define BI_GEMINI_H

#include "provider/provider.h"

extern const BiProvider bi_gemini;

#endif							/* BI_GEMINI_H */
