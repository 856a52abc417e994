#pragma once
/* Inside the room: the field lines of a head, and what they say about framing. */
#include "wire/http.h"

/* What the fields say about the message that they frame. Counted, not merged: saying a thing
 * twice is a fault even where both say the same. */
struct field_facts {
	struct slice host, upgrade, expect, length_text, coding;
	unsigned hosts, upgrades, expects, lengths, codings;
	bool close, connection_upgrade;
};

/* @lines is every line behind the first, with the empty one. Marks hop-by-hop fields. */
int fields_parse(struct slice lines, const struct http_limits *limits, struct http_fields *out,
                 struct field_facts *facts, enum wire_fault *fault);
/* Content-Length as strictly as it can be read: 1 to 18 digits, no zero in front. */
int fields_length(const struct field_facts *facts, uint64_t *out, enum wire_fault *fault);
/* Marks what Connection names and reads its options. */
int fields_connection(struct http_fields *fields, struct field_facts *facts, bool request,
                      enum wire_fault *fault);
/* Takes "HTTP/1.0" or "HTTP/1.1"; -1 for another. */
int fields_version(struct slice text);

static inline int wire_refuse(enum wire_fault *fault, enum wire_fault why)
{
	*fault = why;
	return -1;
}
