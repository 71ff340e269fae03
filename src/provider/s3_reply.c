/*
 * provider/s3_reply.c: what the replies of an object store mean.
 *
 * Knows S3's codes and the two documents that are read of it, errors and lists.  Called by
 * the providers whose batches travel through S3.
 */
#include "postgres.h"

#include "provider/aws.h"
#include "provider/openai.h"
#include "provider/s3.h"
#include "provider/wire.h"
#include "provider/xml.h"

/* Bytes of an object's name. */
#define KEY_MAX 1024

static BiXml *
parse_body(const BiExchange *ex, const char *root)
{
	BiXml	   *xml = bi_xml_parse(ex->body.data, ex->body.len);

	return xml && strcmp(xml->name, root) == 0 ? xml : NULL;
}

static char *
words_of(const BiXml *error, const char *name, int limit)
{
	const char *text = bi_xml_text(error, name);

	return text && *text ? bi_wire_words(text, strlen(text), limit) : NULL;
}

/* What the codes say that their statuses do not. */
static bool
is_code_kind(const char *code, BiVerdictKind *kind)
{
	static const struct
	{
		const char *code;
		BiVerdictKind kind;
	}			codes[] =
	{
		{"SlowDown", BI_DEFER},
		{"ServiceUnavailable", BI_DEFER},
		{"RequestLimitExceeded", BI_DEFER},
		{"ThrottlingException", BI_DEFER},
		{"KMS.ThrottlingException", BI_DEFER},
		{"RequestTimeout", BI_UNCLEAR}, /* a 400: the body came too slowly, or not whole */
		{"IncompleteBody", BI_UNCLEAR},
		{"TemporaryRedirect", BI_NOT_YET},	/* a bucket that was made just now */
		{"OperationAborted", BI_NOT_YET},
		{"PermanentRedirect", BI_DENIED},	/* another region */
		{"AuthorizationHeaderMalformed", BI_DENIED},
		{"IllegalLocationConstraintException", BI_DENIED},
		{"InvalidLocationConstraint", BI_DENIED},
		{"BucketAlreadyExists", BI_DENIED},
		{"InvalidBucketName", BI_DENIED},
		{"ExpiredToken", BI_DENIED},
		{"InvalidToken", BI_DENIED},
		{"TokenRefreshRequired", BI_DENIED},
	};

	for (int i = 0; i < lengthof(codes); i++)
	{
		if (strcmp(code, codes[i].code) != 0)
			continue;
		*kind = codes[i].kind;
		return true;
	}
	*kind = BI_DENIED;
	return strncmp(code, "KMS.", 4) == 0;
}

static BiVerdictKind
status_kind(int status)
{
	if (status == 401 || status == 402 || status == 403)
		return BI_DENIED;
	if (status == 429)
		return BI_DEFER;
	if (status == 404)
		return BI_ABSENT;
	if (status < 300 || status >= 500 || status == 408 || status == 409 || status == 425)
		return BI_UNCLEAR;
	return BI_REFUSED;
}

/* Where the bucket is, if the reply tells that it is elsewhere; else NULL. */
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
bi_s3_verdict(const BiCall *call, const BiExchange *ex)
{
	bool		told = ex->transport == BI_TRANSPORT_REPLIED && (ex->status < 200 || ex->status > 299);
	BiXml	   *error = told ? parse_body(ex, "Error") : NULL;
	BiVerdict	verdict = {0};
	char	   *region;

	if (error == NULL && (!told || other_region(call, ex, NULL) == NULL))
		return bi_openai_reply_verdict(ex); /* no words in it that would be the store's */
	verdict.code = words_of(error, "Code", BI_WIRE_CODE);
	verdict.message = words_of(error, "Message", BI_WIRE_MESSAGE);
	if (verdict.code == NULL)
		verdict.code = psprintf("http_%d", ex->status);
	if (!is_code_kind(verdict.code, &verdict.kind))
		verdict.kind = status_kind(ex->status);
	region = other_region(call, ex, error);
	if (region)
	{
		verdict.kind = BI_DENIED;
		verdict.message = psprintf("the bucket is in region \"%s\", and option \"region\" of the server is \"%s\"",
								   region, bi_aws_region(call->server));
	}
	if (verdict.message == NULL)
		verdict.message = psprintf("HTTP status %d", ex->status);
	return verdict;
}

BiVerdict
bi_s3_unexpected(const BiExchange *ex, const char *wanted)
{
	return (BiVerdict) {
		BI_UNCLEAR, pstrdup("unexpected_reply"), psprintf("HTTP status %d with a body that is not %s", ex->status, wanted)
	};
}

bool
bi_s3_has_code(const BiVerdict *verdict, const char *code)
{
	return verdict->code && strcmp(verdict->code, code) == 0;
}

/* Might this name lead out of its folder, if somebody on the way resolves it? */
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
bi_s3_read_list(const BiExchange *ex, const char *place, List **names, char **token)
{
	BiXml	   *list = parse_body(ex, "ListBucketResult");
	const char *prefix = strchr(place + strlen("s3://"), '/');
	const char *more = bi_xml_text(list, "IsTruncated");
	const char *next = bi_xml_text(list, "NextContinuationToken");
	size_t		len = prefix ? strlen(++prefix) : 0;

	*token = NULL;
	if (more == NULL || (strcmp(more, "true") == 0 ? next == NULL || *next == '\0' : strcmp(more, "false") != 0))
		return false;
	for (const BiXml *object = bi_xml_child(list, "Contents"); object; object = bi_xml_next(object))
	{
		const char *key = bi_xml_text(object, "Key");

		if (key == NULL || strlen(key) > KEY_MAX || (len > 0 && strncmp(key, prefix, len) != 0))
			return false;		/* not what was asked for */
		if (!has_dots(key + len))
			*names = lappend(*names, pstrdup(key + len));
	}
	if (strcmp(more, "true") == 0)
		*token = pstrdup(next);
	return true;
}
