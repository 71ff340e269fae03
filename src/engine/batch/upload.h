/*
 * engine/batch/upload.h: the input of a batch goes to the provider.
 */
#ifndef BI_UPLOAD_H
#define BI_UPLOAD_H

#include "engine/step.h"

/* First work of a step in state uploading: renders the records and uploads them. */
extern void bi_upload_start(BiStep *step);

#endif							/* BI_UPLOAD_H */
