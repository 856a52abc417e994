#pragma once
/* The roots that the host trusts: more than a hundred certificates, of which a bottle needs two
 * or three. Each is found by its subject and read when a chain asks for it. */
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct root {
	unsigned long subject; /* a hash: what shares it is read along, and no harm is done */
	unsigned char *der;
	long n;
	bool read;
};

struct roots {
	struct root *at;
	size_t n, cap;
};

struct x509_store_st;

/* Every certificate of a PEM bundle, its outline checked. Something else in it is refused. */
int roots_take(struct roots *r, const char *pem, const char *what, struct err *err);
/* @store then trusts them. @r must outlive it, and stay where it is. */
int roots_serve(struct roots *r, struct x509_store_st *store, struct err *err);
void roots_clear(struct roots *r);
