#pragma once
/* Host names and addresses in one canonical spelling, and what an address is. A name has
 * exactly one spelling here: lower case, no trailing dot, ASCII letters, digits and hyphens
 * (a-labels of IDNA are fine, u-labels are not). What any resolver would read as an IPv4
 * address (0x7f.1, 2130706433, 0177.0.0.1) is refused unless it is four plain decimals. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/slice.h"
#include "wire/fault.h"

enum host_kind { HOST_NAME, HOST_V4, HOST_V6 };
enum { HOST_MAX = 253 };

struct host {
	enum host_kind kind;
	bool single_label; /* "localhost", "intranet": allowed only where a route names it */
	size_t n;
	char text[HOST_MAX + 3];   /* canonical, NUL-terminated; IPv6 as RFC 5952 in brackets */
	unsigned char address[16]; /* of HOST_V4 (4 bytes) and HOST_V6 */
};

/* @raw as it stands in a target, in Host or in SNI, without port. */
int host_parse(struct slice raw, struct host *out, enum wire_fault *fault);

/* Splits "host", "host:port", "[v6]:port"; @port -1 where none is written. Port 0, signs and
 * leading zeros are refused. Checks the shape only: host_parse() judges @host. */
int host_split(struct slice authority, struct slice *host, int *port, enum wire_fault *fault);

enum host_class {
	HOST_PUBLIC,
	HOST_PRIVATE, /* RFC 1918, unique local, shared (100.64/10) */
	HOST_LOOPBACK,
	HOST_LINK_LOCAL,
	HOST_MULTICAST,
	HOST_METADATA, /* a cloud's metadata or credential service */
	HOST_RESERVED, /* all that no host on the internet has */
};

/* The class of 4 or 16 address bytes. IPv6 forms that carry an IPv4 address (mapped,
 * compatible, translated, NAT64, 6to4, Teredo, ISATAP) are judged by what they carry. */
enum host_class host_address_class(const unsigned char *address, size_t n);
const char *host_class_name(enum host_class class); /* "public", "link-local", ... */
/* @allow_private opens private, loopback and link-local; nothing opens the rest. */
bool host_class_is_allowed(enum host_class class, bool allow_private);
