/*
 * provider/aws/s3_reply.c: what the replies of an object store that speaks S3 mean.
 *
 * Knows S3's codes and two of its documents: errors and lists.
 *
 * Decided here: all that a person must put right is DENIED, so that the job waits and says so: a
 * bucket that is in another region, missing, or somebody else's.  A document that is not the
 * store's own is a gateway's; only its status counts then.
 *
 * Sources: S3's list of error responses; botocore, utils.py, S3RegionRedirector (seen 2026-08).
 */
#include "postgres.h"

#include "provider/aws/aws.h"
#include "provider/aws/s3_reply.h"
#include "provider/aws/xml.h"
#include "provider/verdict.h"
#include "provider/wire.h"
#include "provider/words.h"

/* The longest key of an object, in bytes (source: S3's user guide, "Object key names"). */
#define KEY_MAX 1024

/* Returns the reply's document if its root has that name, else NULL. */
static BiXml *
parse_body(const BiExchange *ex, const char *root)
{
	BiXml	   *xml = bi_xml_parse(ex->body.data, ex->body.len);

	return xml && strcmp(xml->name, root) == 0 ? xml : NULL;
}

/* Returns the words of the error's child of that name, palloc'd; NULL if it has none. */
static char *
words_of(const BiXml *error, const char *name, int limit)
{
	const char *text = bi_xml_text(error, name);

	return text && *text ? bi_wire_words(text, strlen(text), limit) : NULL;
}

/* True if the store's code says more than the status; *kind is then what it means. */
static bool
is_code_kind(const char *code, BiVerdictKind *kind)
{
	static const struct
	{
		const char *code;
		BiVerdictKind kind;
	}			codes[] =
	{
		{"SlowDown", BI_VERDICT_DEFER},
		{"ServiceUnavailable", BI_VERDICT_DEFER},
		{"RequestLimitExceeded", BI_VERDICT_DEFER},
		{"ThrottlingException", BI_VERDICT_DEFER},
		{"KMS.ThrottlingException", BI_VERDICT_DEFER},
		{"RequestTimeout", BI_VERDICT_UNCLEAR}, /* a 400: the body came too slowly, or not whole */
		{"IncompleteBody", BI_VERDICT_UNCLEAR},
		{"TemporaryRedirect", BI_VERDICT_NOT_YET},	/* the bucket was made just now */
		{"OperationAborted", BI_VERDICT_NOT_YET},
		{"PermanentRedirect", BI_VERDICT_DENIED},	/* the bucket is in another region */
		{"AuthorizationHeaderMalformed", BI_VERDICT_DENIED},
		{"IllegalLocationConstraintException", BI_VERDICT_DENIED},
		{"InvalidLocationConstraint", BI_VERDICT_DENIED},
		{"BucketAlreadyExists", BI_VERDICT_DENIED},
		{"InvalidBucketName", BI_VERDICT_DENIED},
		{"ExpiredToken", BI_VERDICT_DENIED},
		{"InvalidToken", BI_VERDICT_DENIED},
		{"TokenRefreshRequired", BI_VERDICT_DENIED},
	};

	for (int i = 0; i < lengthof(codes); i++)
	{
		if (strcmp(code, codes[i].code) != 0)
			continue;
		*kind = codes[i].kind;
		return true;
	}
	*kind = BI_VERDICT_DENIED;
	return strncmp(code, "KMS.", 4) == 0;
}

/* Returns the region in which the bucket is, palloc'd, if the reply says that it is not ours; else
 * NULL. */
static char *
other_region(const BiCall *call, const BiExchange *ex, const BiXml *error)
{
	const char *region = bi_exchange_reply_header(ex, "x-amz-bucket-region");

	if (region == NULL)
		region = bi_xml_text(error, "Region");
	if (region == NULL || *region == '\0' || strcmp(region, bi_aws_region(call->server)) == 0)
		return NULL;
	return bi_wire_words(region, strlen(region), BI_WIRE_CODE);
}

BiVerdict
bi_s3_reply_verdict(const BiCall *call, const BiExchange *ex)
{
	bool		success = ex->status >= 200 && ex->status <= 299;
	bool		failed = ex->transport == BI_TRANSPORT_REPLIED && !success;
	BiXml	   *error = failed ? parse_body(ex, "Error") : NULL;
	BiVerdict	verdict = {0};
	BiVerdictKind kind;
	char	   *region;

	/* Success, no whole reply, or words that are not the store's own. */
	if (error == NULL && (!failed || other_region(call, ex, NULL) == NULL))
		return bi_verdict_read(ex);
	verdict.code = words_of(error, "Code", BI_WIRE_CODE);
	verdict.message = words_of(error, "Message", BI_WIRE_MESSAGE);
	if (verdict.code == NULL)
		verdict.code = psprintf("http_%d", ex->status);
	if (!is_code_kind(verdict.code, &kind))
		kind = bi_aws_kind(ex->status);
	region = other_region(call, ex, error);
	if (region)
	{
		kind = BI_VERDICT_DENIED;
		verdict.message = psprintf("the bucket is in region \"%s\", and option \"region\" of the "
								   "server is \"%s\"", region, bi_aws_region(call->server));
	}
	if (verdict.message == NULL)
		verdict.message = psprintf("HTTP status %d", ex->status);
	bi_verdict_change(&verdict, ex, kind);
	return verdict;
}

BiVerdict
bi_s3_reply_unexpected(const BiExchange *ex, const char *wanted)
{
	return bi_verdict_make(ex, BI_VERDICT_UNCLEAR, "unexpected_reply",
						   psprintf("HTTP status %d with a body that is not %s",
									ex->status, wanted));
}

/* Lists */

/* True if a component of the name is "." or "..": it would lead out of its folder if it were
 * resolved. */
static bool
has_dots(const char *name)
{
	for (;;)
	{
		size_t		len = strcspn(name, "/");

		if (len > 0 && len <= 2 && strspn(name, ".") == len)
			return true;
		if (name[len] == '\0')
			return false;
		name += len + 1;
	}
}

bool
bi_s3_reply_read_list(const BiExchange *ex, const char *place, List **names, char **token)
{
	BiXml	   *list = parse_body(ex, "ListBucketResult");
	const char *prefix = strchr(place + strlen("s3://"), '/');
	const char *more = bi_xml_text(list, "IsTruncated");
	const char *next = bi_xml_text(list, "NextContinuationToken");
	size_t		len = prefix ? strlen(++prefix) : 0;
	bool		is_last;

	*token = NULL;
	is_last = bi_words_equal(more, "false");
	if (!is_last && (!bi_words_equal(more, "true") || next == NULL || *next == '\0'))
		return false;
	for (const BiXml *object = bi_xml_child(list, "Contents"); object; object = bi_xml_next(object))
	{
		const char *key = bi_xml_text(object, "Key");

		if (key == NULL || strlen(key) > KEY_MAX || (len > 0 && strncmp(key, prefix, len) != 0))
			return false;		/* not what was asked for */
		if (!has_dots(key + len))
			*names = lappend(*names, pstrdup(key + len));
	}
	if (!is_last)
		*token = pstrdup(next);
	return true;
}
