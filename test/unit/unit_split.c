/*
 * test/unit/unit_split.c: splitting texts, of any server encoding, callable from SQL.
 */
#include "postgres.h"

#include "base/grapheme.h"
#include "base/split.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "unit.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(unit_graphemes);
PG_FUNCTION_INFO_V1(unit_split);

/* Returns the code points, as words, with a slash between clusters. */
Datum
unit_graphemes(PG_FUNCTION_ARGS)
{
	ArrayType  *codes = PG_GETARG_ARRAYTYPE_P(0);
	int32	   *code = (int32 *) ARR_DATA_PTR(codes);
	int			count = ArrayGetNItems(ARR_NDIM(codes), ARR_DIMS(codes));
	BiGrapheme	cluster;
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < count; i++)
	{
		if (i > 0 && !bi_grapheme_add(&cluster, code[i]))
			appendStringInfoString(&out, " /");
		if (i == 0 || out.data[out.len - 1] == '/')
			bi_grapheme_begin(&cluster, code[i]);
		appendStringInfo(&out, "%s%04X", i > 0 ? " " : "", code[i]);
	}
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

/* unit_split(bytes, encoding, size, overlap): each piece's start and bytes. */
Datum
unit_split(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	int			encoding = pg_valid_server_encoding(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	BiSplit		split;
	BiSplitPiece piece;
	StringInfoData out;

	if (encoding < 0)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("no such encoding"));
	initStringInfo(&out);
	bi_split_begin(&split, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes),
				   bi_repertoire_make(encoding), PG_GETARG_INT32(2), PG_GETARG_INT32(3));
	while (bi_split_next(&split, &piece))
	{
		appendStringInfo(&out, "%s" INT64_FORMAT ":", out.len > 0 ? " " : "", piece.start);
		for (size_t i = 0; i < piece.len; i++)
			appendStringInfo(&out, "%02x", (unsigned char) piece.text[i]);
	}
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}
