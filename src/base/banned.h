#pragma once
/* Calls that are easy to get wrong do not compile. Included last by every .c file that
 * handles strings; the linter checks that nobody goes round it. getenv() is for cmd/ only,
 * which undefines it and says why. */
#define BANNED(call) sorry_##call##_is_banned_see_base_banned_h

#undef strcpy
#define strcpy(d, s) BANNED(strcpy)
#undef strcat
#define strcat(d, s) BANNED(strcat)
#undef strncpy
#define strncpy(d, s, n) BANNED(strncpy)
#undef strncat
#define strncat(d, s, n) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef strtok
#define strtok(s, d) BANNED(strtok)
#undef atoi
#define atoi(s) BANNED(atoi)
#undef atol
#define atol(s) BANNED(atol)
#undef system
#define system(s) BANNED(system)
#undef popen
#define popen(s, m) BANNED(popen)
#undef signal
#define signal(n, h) BANNED(signal)
#undef mktemp
#define mktemp(s) BANNED(mktemp)
#undef alloca
#define alloca(n) BANNED(alloca)
#ifndef MAY_READ_ENVIRONMENT
#undef getenv
#define getenv(n) BANNED(getenv)
#endif
