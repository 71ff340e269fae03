/*
 * provider/xml.h: small XML documents, as object stores answer with them.
 */
#ifndef BI_XML_H
#define BI_XML_H

#include "postgres.h"

typedef struct BiXml
{
	char	   *name;			/* without its namespace's prefix */
	const char *text;			/* what stands in it beside its children, never NULL */
	struct BiXml *child;		/* the first one */
	struct BiXml *next;			/* the next one of the same parent */
} BiXml;

/*
 * The root of a document, palloc'd, or NULL where the text is none or has more in it than an
 * object store sends: well-formed UTF-8, elements with attributes (passed over), text with the
 * five entities and character references.  No declaration but <?xml …?>, no comments, no
 * CDATA; bounded in depth and number of elements.  Never ereports for its content.
 */
extern BiXml *bi_xml_parse(const char *text, size_t len);

/* The first child of that name, NULL for none, or for a NULL parent. */
extern const BiXml *bi_xml_child(const BiXml *parent, const char *name);

/* Its next sibling of the same name. */
extern const BiXml *bi_xml_next(const BiXml *element);

/* The text of that child, or NULL. */
extern const char *bi_xml_text(const BiXml *parent, const char *name);

#endif							/* BI_XML_H */
