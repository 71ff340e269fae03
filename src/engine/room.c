/*
 * engine/room.c: how many steps a loop has at once, and whose.
 *
 * Steps may be long: an upload, a provider that hangs.  So the last places are kept for owners who
 * have few steps, and the very last for those who have none: others' long steps cannot take them.
 */
#include "postgres.h"

#include "engine/room.h"

/* An owner's steps at once; above that, one for each server where they have none, so that a dead
 * one does not starve their others. */
#define OWNER_STEPS 16

/* The places for owners who have fewer than FEW steps, and of these for owners who have none. */
#define FEW 4
#define FOR_FEW 16
#define FOR_NONE 8

/* Quiet polls of an owner at once. */
#define OWNER_POLLS 8

/* Returns up to which number of all steps an owner who has owned of them may get one more. */
static int
places(int owned)
{
	if (owned == 0)
		return BI_ROOM_STEPS;
	return BI_ROOM_STEPS - (owned < FEW ? FOR_NONE : FOR_FEW);
}

bool
bi_room_for_chunk(int under_way, const BiDue *due)
{
	return under_way < places(due->berth - 1) &&
		(due->berth <= OWNER_STEPS || due->place == 1);
}

/* The owner's other steps do not count: until a batch is polled it takes up room at its server, for
 * everybody. */
bool
bi_room_for_poll(int under_way, int polls_of_owner)
{
	return polls_of_owner < OWNER_POLLS && under_way < places(polls_of_owner);
}
