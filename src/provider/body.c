/*
 * provider/body.c: request bodies that are for another API than the one they are sent to.
 *
 * Knows by which member the request of each API is told, and no provider.  It is only asked once
 * something is sure to be wrong.  Called by the providers' refusals.
 */
#include "postgres.h"

#include "provider/body.h"

/* The first that a body has tells. */
static const struct
{
	const char *member;
	const char *whose;
}			signs[] =
{
	{"custom_id", ": this one is a whole line of a batch file, return what is in its \"body\" or \"params\""},
	{"modelInput", ": this one is a whole line of a batch file, return what is in its \"modelInput\""},
	{"request", ": this one is a whole line of a batch file, return what is in its \"request\""},
	{"contents", ": this one is a request of Gemini's generateContent"},
	{"content", ": this one is a request of Gemini's embedContent"},
	{"inputText", ": this one is a request of Amazon Titan's"},
	{"singleEmbeddingParams", ": this one is a request of Amazon Nova's embeddings"},
	{"texts", ": this one is a request of Cohere's embeddings"},
	{"messages", ": this one is a request for a chat"},
	{"input", ": this one is a request of OpenAI's embeddings or responses"},
	{"prompt", ": this one is a request for completions, which are older than chats"},
};

const char *
bi_body_whose(const BiJson *body)
{
	for (int i = 0; i < lengthof(signs); i++)
		if (bi_json_get(body, signs[i].member))
			return signs[i].whose;
	return "";
}

char *
bi_body_refuse_without(const BiJson *body, const char *member)
{
	if (bi_json_at(body, member, NULL))
		return NULL;
	return psprintf("body must have \"%s\"%s", member, bi_body_whose(body));
}
