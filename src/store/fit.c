/*
 * store/fit.c: values of an output in the form that a column's type takes.
 *
 * JSON has one kind of number: a model that is asked for an integer may write 3.0, which JSON
 * Schema calls an integer and PostgreSQL's integer input refuses.  And models put blanks around
 * words, which the input of integers and dates skips and the input of enums refuses.  Nothing
 * else is changed: 85.5 for an integer stays an error.  Knows types, and no table.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/fit.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

/* A longer text is not an integer of any type. */
#define NUMBER_MAX 64

/* PostgreSQL looks at each type within a column's type whenever it parses a statement of ours,
 * and is not interruptible meanwhile: three levels of 250 members take a second, four minutes. */
#define TYPES_MAX 10000

/* Blanks as PostgreSQL's own inputs skip them. */
static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* True for a type whose input takes an integer.  base is not a domain. */
static bool
is_integer(Oid base)
{
	return base == INT2OID || base == INT4OID || base == INT8OID || base == OIDOID ||
		base == BOOLOID;
}

/* True if blanks at the ends of a text mean nothing for this type, and its input refuses them.
 * base is not a domain. */
static bool
minds_blanks(Oid base)
{
	char		category;
	bool		preferred;

	switch (base)
	{
		case BYTEAOID:
		case XMLOID:
		case TSVECTOROID:
		case TSQUERYOID:
		case JSONOID:
		case JSONBOID:
			return false;
	}
	get_type_category_preferred(base, &category, &preferred);
	switch (category)
	{
		case TYPCATEGORY_STRING:
		case TYPCATEGORY_UNKNOWN:
		case TYPCATEGORY_PSEUDOTYPE:
		case 'Z':				/* "char" and its like */
		case TYPCATEGORY_NUMERIC:
		case TYPCATEGORY_DATETIME:
		case TYPCATEGORY_TIMESPAN:
		case TYPCATEGORY_BOOLEAN:
		case TYPCATEGORY_ARRAY:
		case TYPCATEGORY_COMPOSITE:
			return false;
	}
	return true;
}

/* A look at a type and all types within it. */
typedef struct Walk
{
	Oid			type;			/* where it began */
	int			left;			/* how many types it may still look at */
	bool		matters;		/* a type was found whose values may have to be changed */
} Walk;

static void walk(Walk *w, Oid type);

static void
walk_members(Walk *w, Oid base)
{
	TupleDesc	row = lookup_rowtype_tupdesc(base, -1);

	for (int i = 0; i < row->natts; i++)
	{
		if (!TupleDescAttr(row, i)->attisdropped)
			walk(w, TupleDescAttr(row, i)->atttypid);
	}
	ReleaseTupleDesc(row);
}

static void
walk(Walk *w, Oid type)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);
	char		kind = get_typtype(base);

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (w->left-- == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("cannot write back to a column of type %s", format_type_be(w->type)),
				 errdetail("Members, and members of these, are more than %d together.",
						   TYPES_MAX)));
	if (OidIsValid(element))
		walk(w, element);
	else if (kind == TYPTYPE_COMPOSITE)
		walk_members(w, base);
	else
		w->matters = w->matters || is_integer(base) || minds_blanks(base);
	/* The input of a range takes its bounds as text, but PostgreSQL looks at their type. */
	if (kind == TYPTYPE_RANGE)
	{
		Walk		bounds = *w;

		walk(&bounds, get_range_subtype(base));
		w->left = bounds.left;
	}
}

bool
bi_fit_matters(Oid type)
{
	Walk		w = {.type = type, .left = TYPES_MAX};

	walk(&w, type);
	return w.matters;
}

/* True if text is a JSON number with a point, or with an exponent of at most two digits. */
static bool
is_decimal(const char *text)
{
	const char *p = text + (*text == '-' ? 1 : 0);
	size_t		whole = strspn(p, "0123456789");
	size_t		fraction = p[whole] == '.' ? 1 + strspn(p + whole + 1, "0123456789") : 0;
	const char *rest = p + whole + fraction;

	if (whole == 0 || fraction == 1 || strlen(text) > NUMBER_MAX)
		return false;
	if (*rest == 'e' || *rest == 'E')
	{
		size_t		digits;

		rest++;
		rest += *rest == '-' || *rest == '+';
		digits = strspn(rest, "0123456789");
		return digits >= 1 && digits <= 2 && rest[digits] == '\0';
	}
	return fraction > 0 && *rest == '\0';
}

/* Returns the number without a decimal point if it has no fraction, else text itself. */
static const char *
integer_text(const char *text)
{
	Datum		number;

	if (!is_decimal(text))
		return text;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(text),
								 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	number = DirectFunctionCall1(numeric_trim_scale, number);
	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, number)) > 0)
		return text;
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}

/* Returns text without blanks at its ends: text itself, or a palloc'd copy. */
static const char *
trim(const char *text)
{
	size_t		len = strlen(text);

	while (len > 0 && is_blank(text[len - 1]))
		len--;
	while (len > 0 && is_blank(*text))
		text++, len--;
	return text[len] == '\0' ? text : pnstrdup(text, len);
}

const char *
bi_fit_text(Oid type, const char *text)
{
	Oid			base = getBaseType(type);

	if (is_integer(base))
		return integer_text(trim(text));
	return minds_blanks(base) ? trim(text) : text;
}

static void append_value(StringInfo out, Oid type, JsonbValue *value);

static void
append_array(StringInfo out, Oid element, JsonbContainer *array)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	item;
	bool		first = true;

	appendStringInfoChar(out, '[');
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (!first)
			appendStringInfoChar(out, ',');
		first = false;
		append_value(out, element, &item);
	}
	appendStringInfoChar(out, ']');
}

/* Returns the type of that member; InvalidOid if the row type has no member of this name. */
static Oid
member_type(TupleDesc row, const JsonbValue *key)
{
	for (int i = 0; i < row->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(row, i);

		if (!attr->attisdropped && strlen(NameStr(attr->attname)) == (size_t) key->val.string.len &&
			strncmp(NameStr(attr->attname), key->val.string.val, key->val.string.len) == 0)
			return attr->atttypid;
	}
	return InvalidOid;
}

static void
append_object(StringInfo out, Oid composite, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	item;
	TupleDesc	row = lookup_rowtype_tupdesc(composite, -1);
	Oid			type = InvalidOid;
	bool		first = true;

	appendStringInfoChar(out, '{');
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			type = member_type(row, &item);
			if (!first)
				appendStringInfoChar(out, ',');
			first = false;
			escape_json(out, pnstrdup(item.val.string.val, item.val.string.len));
			appendStringInfoChar(out, ':');
		}
		else if (token == WJB_VALUE)
			append_value(out, type, &item);
	}
	ReleaseTupleDesc(row);
	appendStringInfoChar(out, '}');
}

static void
append_binary(StringInfo out, Oid type, Oid base, JsonbValue *value)
{
	JsonbContainer *container = value->val.binary.data;
	Oid			element = get_element_type(base);

	if (OidIsValid(element) && JsonContainerIsArray(container))
		append_array(out, element, container);
	else if (get_typtype(base) == TYPTYPE_COMPOSITE && JsonContainerIsObject(container))
		append_object(out, base, container);
	else if (JsonContainerIsArray(container) && bi_fit_matters(type))
		/* An array within an array has the same type: PostgreSQL's arrays have dimensions. */
		append_array(out, type, container);
	else
		(void) JsonbToCString(out, container, value->val.binary.len);
}

static char *
number_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

/* Appends one value.  type is InvalidOid if nothing is known of what takes it. */
static void
append_value(StringInfo out, Oid type, JsonbValue *value)
{
	Oid			base = OidIsValid(type) ? getBaseType(type) : InvalidOid;
	Jsonb	   *scalar;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (value->type == jbvBinary && OidIsValid(base))
		append_binary(out, type, base, value);
	else if (value->type == jbvBinary)
		(void) JsonbToCString(out, value->val.binary.data, value->val.binary.len);
	else if (value->type == jbvNumeric && OidIsValid(base) && is_integer(base))
		appendStringInfoString(out, integer_text(number_text(value->val.numeric)));
	else if (value->type == jbvString && OidIsValid(base) && minds_blanks(base))
		escape_json(out, trim(pnstrdup(value->val.string.val, value->val.string.len)));
	else
	{
		scalar = JsonbValueToJsonb(value);
		(void) JsonbToCString(out, &scalar->root, VARSIZE(scalar));
	}
}

void
bi_fit_append(StringInfo out, Oid type, Jsonb *value)
{
	JsonbValue	root;

	if (JB_ROOT_IS_SCALAR(value))
		root = *getIthJsonbValueFromContainer(&value->root, 0);
	else
	{
		root.type = jbvBinary;
		root.val.binary.data = &value->root;
		root.val.binary.len = VARSIZE(value) - VARHDRSZ;
	}
	append_value(out, type, &root);
}
