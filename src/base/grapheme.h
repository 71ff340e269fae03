/*
 * base/grapheme.h: which characters belong together as one grapheme cluster (Unicode, UAX #29).
 *
 * A grapheme cluster is what a reader takes for one character: a letter with its accents, a
 * syllable of Hangul or Devanagari, a flag, a family of emoji.
 */
#ifndef BI_GRAPHEME_H
#define BI_GRAPHEME_H

#include "postgres.h"

/* What a character is in UAX #29.  The names in parentheses are Unicode's. */
typedef enum BiGraphemeClass
{
	BI_GRAPHEME_OTHER,
	BI_GRAPHEME_CR,
	BI_GRAPHEME_LF,
	BI_GRAPHEME_CONTROL,
	BI_GRAPHEME_PREPEND,		/* begins a cluster that goes on */
	BI_GRAPHEME_EXTEND,			/* as accents (Extend, InCB=None) */
	BI_GRAPHEME_CONJUNCT,		/* the same, and may stand in a conjunct (InCB=Extend) */
	BI_GRAPHEME_LINKER,			/* the same, and makes a conjunct (InCB=Linker) */
	BI_GRAPHEME_ZWJ,
	BI_GRAPHEME_SPACING,		/* (SpacingMark) */
	BI_GRAPHEME_CONSONANT,		/* (InCB=Consonant) */
	BI_GRAPHEME_FLAG,			/* half of a flag (Regional_Indicator) */
	BI_GRAPHEME_PICTURE,		/* (Extended_Pictographic) */
	BI_GRAPHEME_L,				/* parts of syllables of Hangul */
	BI_GRAPHEME_V,
	BI_GRAPHEME_T,
	BI_GRAPHEME_LV,
	BI_GRAPHEME_LVT
} BiGraphemeClass;

/* A cluster that is being read.  Its owner reads it from left to right by the two functions
 * below, which alone look into it. */
typedef struct BiGrapheme
{
	BiGraphemeClass last;		/* of its last character */
	bool		half_flag;		/* it ends in half a flag */
	bool		picture;		/* it ends in a picture, and Extend behind that */
	bool		picture_zwj;	/* the same with a ZWJ at its end */
	bool		consonant;		/* it ends in a consonant, and Extend behind that */
	bool		linked;			/* the same with a linker among these */
} BiGrapheme;

extern BiGraphemeClass bi_grapheme_class(uint32 code);

/* Begins a cluster with this code point. */
extern void bi_grapheme_begin(BiGrapheme *cluster, uint32 code);

/* True if the next code point belongs to the cluster, which then has it. */
extern bool bi_grapheme_add(BiGrapheme *cluster, uint32 code);

#endif							/* BI_GRAPHEME_H */
