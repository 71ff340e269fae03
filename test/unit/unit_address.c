/*
 * test/unit/unit_address.c: whither a request may go, callable from SQL.
 */
#include "postgres.h"

#include <netdb.h>

#include "base/address.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(unit_address);

static const char *const words[] = {"outer", "inner", "metadata"};

/* What the address is, as text and as it would be connected to, which must be the same; NULL
 * where it is none. */
Datum
unit_address(PG_FUNCTION_ARGS)
{
	char	   *address = text_to_cstring(PG_GETARG_TEXT_PP(0));
	BiAddress	by_text = bi_address_judge_text(address, BI_ADDRESS_OUTER);
	char	   *bare = address[0] == '[' ? pnstrdup(address + 1, strlen(address) - 2) : address;
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST};
	struct addrinfo *found;

	/* a name: the resolver finds its address */
	if (by_text == BI_ADDRESS_OUTER &&
		bi_address_judge_text(address, BI_ADDRESS_INNER) == BI_ADDRESS_INNER)
		PG_RETURN_NULL();
	if (getaddrinfo(bare, NULL, &hints, &found) == 0)
	{
		BiAddress	connected = bi_address_judge(found->ai_addr);

		freeaddrinfo(found);
		if (connected != by_text)
			ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR),
					errmsg("%s: %s as text, %s to connect to", address, words[by_text],
						   words[connected]));
	}
	PG_RETURN_TEXT_P(cstring_to_text(words[by_text]));
}
