/*
 * provider/aws/xml.h: reads the small XML documents of object stores.
 */
#ifndef BI_XML_H
#define BI_XML_H

#include "postgres.h"

/*
 * An element of a document.  bi_xml_parse makes the whole tree; it is read-only and lives in the
 * memory context that was current then.
 */
typedef struct BiXml
{
	char	   *name;			/* the element's name, without the prefix of its namespace */
	const char *text;			/* the text directly in it, all pieces in one; never NULL */
	struct BiXml *child;		/* its first child, or NULL */
	struct BiXml *next;			/* the next child of the same parent, or NULL */
} BiXml;

/*
 * Returns the root of a document, palloc'd; NULL if text is not a document, or has more in it than
 * an object store sends.  Accepted are well-formed UTF-8, one <?xml …?>, elements, attributes
 * (passed over), text, the five predefined entities and character references.  Not accepted are
 * document types, comments and CDATA.  Depth and number of elements are bounded.  Never ereports
 * for the content.
 */
extern BiXml *bi_xml_parse(const char *text, size_t len);

/* Returns the first child of that name; NULL if there is none or parent is NULL. */
extern const BiXml *bi_xml_child(const BiXml *parent, const char *name);

/* Returns the next child of the same parent with the same name, or NULL. */
extern const BiXml *bi_xml_next(const BiXml *element);

/* Returns the text of the first child of that name; NULL if there is none or parent is NULL. */
extern const char *bi_xml_text(const BiXml *parent, const char *name);

#endif							/* BI_XML_H */
