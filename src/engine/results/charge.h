/*
 * engine/results/charge.h: what answers cost.
 */
#ifndef BI_CHARGE_H
#define BI_CHARGE_H

#include "store/result.h"
#include "store/tariff.h"

/* Sets what n results cost, those that are new and known: after their writes, which may refuse an
 * output.  Needs SPI and a transaction. */
extern void bi_charge_results(BiTariffs *tariffs, BiResult *results, int n);

/* Returns what the tokens of an answer cost, in US dollars; NULL: unpriced.  Needs the same. */
extern Numeric bi_charge_answer(BiTariffs *tariffs, const BiAnswer *answer);

/* The same, at the standard prices of real time. */
extern Numeric bi_charge_realtime(BiTariffs *tariffs, const BiAnswer *answer);

#endif							/* BI_CHARGE_H */
