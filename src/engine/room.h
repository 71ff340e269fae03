/*
 * engine/room.h: how many steps a loop has at once, and whose.
 */
#ifndef BI_ROOM_H
#define BI_ROOM_H

#include "store/chunk.h"

/* Steps at once: each one has a few connections and spools. */
#define BI_ROOM_STEPS 64

/* True if a chunk that is due may become a step, where that many are under way. */
extern bool bi_room_for_chunk(int under_way, const BiDue *due);

/* True if a quiet poll may become a step.  under_way: the number of all steps; polls_of_owner: of
 * quiet polls of the same owner. */
extern bool bi_room_for_poll(int under_way, int polls_of_owner);

#endif							/* BI_ROOM_H */
