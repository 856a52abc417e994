#pragma once
/* A question to a name server, as any program could ask it without a library. */
#include "base/str.h"

enum { QUESTION_SERVER_MAX = 64 };

/* The first name server of /etc/resolv.conf, 127.0.0.1 where there is none. */
void question_server(char out[QUESTION_SERVER_MAX]);
/* A query for the A records of @name (RFC 1035, section 4.1); labels over 63 bytes are cut. */
void question_encode(struct str *out, const char *name);
