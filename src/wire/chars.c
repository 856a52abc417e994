#include "wire/chars.h"

#include "base/banned.h"

/* Shorthands for the rows below: each is the set of classes that a kind of byte is in. */
#define NONE 0
#define OTHR CHAR_VALUE                 /* TAB, blank, obs-text */
#define VISI (CHAR_VALUE | CHAR_TARGET) /* visible, in no other class */
#define TOKN (VISI | CHAR_TOKEN)        /* % ^ ` | */
#define HASH (CHAR_VALUE | CHAR_TOKEN)  /* a token, but never in a target */
#define PATH (VISI | CHAR_PATH)         /* ( ) , / : ; = @ */
#define SUBD (PATH | CHAR_TOKEN)        /* ! $ & ' * + */
#define UNRS (SUBD | CHAR_UNRESERVED)   /* - . _ ~ */
#define ALPH (UNRS | CHAR_ALPHA)
#define HALP (ALPH | CHAR_HEX)
#define DIGT (UNRS | CHAR_DIGIT | CHAR_HEX)

const uint8_t char_classes[256] = {
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE, /* 0x00 */
	NONE,
	OTHR,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE, /* 0x08 */
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE, /* 0x10 */
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE,
	NONE, /* 0x18 */
	OTHR,
	SUBD,
	VISI,
	HASH,
	SUBD,
	TOKN,
	SUBD,
	SUBD, /* 0x20 */
	PATH,
	PATH,
	SUBD,
	SUBD,
	PATH,
	UNRS,
	UNRS,
	PATH, /* 0x28 */
	DIGT,
	DIGT,
	DIGT,
	DIGT,
	DIGT,
	DIGT,
	DIGT,
	DIGT, /* 0x30 */
	DIGT,
	DIGT,
	PATH,
	PATH,
	VISI,
	PATH,
	VISI,
	VISI, /* 0x38 */
	PATH,
	HALP,
	HALP,
	HALP,
	HALP,
	HALP,
	HALP,
	ALPH, /* 0x40 */
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH, /* 0x48 */
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH, /* 0x50 */
	ALPH,
	ALPH,
	ALPH,
	VISI,
	VISI,
	VISI,
	TOKN,
	UNRS, /* 0x58 */
	TOKN,
	HALP,
	HALP,
	HALP,
	HALP,
	HALP,
	HALP,
	ALPH, /* 0x60 */
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH, /* 0x68 */
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH,
	ALPH, /* 0x70 */
	ALPH,
	ALPH,
	ALPH,
	VISI,
	TOKN,
	VISI,
	UNRS,
	NONE,                   /* 0x78 */
	[0x80 ... 0xff] = OTHR, /* obs-text */
};
