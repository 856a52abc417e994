#pragma once
/* The first flight of a TLS client, looked at before any TLS library does: whom it wants. */
#include <stdbool.h>
#include <sys/types.h>
#include "base/slice.h"
#include "wire/fault.h"

enum { TLS_NAME_MAX = 255, TLS_HELLO_MAX = 16384 };

struct tls_hello {
	bool has_sni;
	char sni[TLS_NAME_MAX + 1]; /* as sent, printable ASCII; still for host_parse() */
	size_t sni_n;
	bool has_alpn, alpn_h2, alpn_http1;
	bool ech;   /* encrypted_client_hello is there (browsers also send an empty gesture) */
	bool tls13; /* offered */
};

/* @in begins with the first record. Returns how many bytes the records of the ClientHello
 * take, 0 for "more bytes", -1 with @fault. One hello may be spread over several records;
 * over TLS_HELLO_MAX it is refused. Two names, a name of another type than host_name, an
 * extension twice, a control byte in the name: refused. */
ssize_t tls_hello_parse(struct slice in, struct tls_hello *out, enum wire_fault *fault);

/* Does a connection begin as TLS does? 1, 0 no, -1 can't be told before the next byte. */
int tls_looks_so(struct slice in);
