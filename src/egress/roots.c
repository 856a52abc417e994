#include "egress/roots.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <string.h>

#include "base/own.h"
#include "base/banned.h"

/* Where a store finds us. */
static int roots_index = -1;

/* ---- the outline of a certificate: as much of its DER as leads to the subject ---- */

/* Steps into (or over, with @skip) an element that has to have @tag. */
static bool pass(const unsigned char **at, const unsigned char *end, int tag, int class, bool skip)
{
	long n;
	int is_tag, is_class;

	if (*at >= end || ASN1_get_object(at, &n, &is_tag, &is_class, end - *at) & 0x80)
		return false;
	if (is_tag != tag || is_class != class)
		return false;
	*at += skip ? n : 0;
	return true;
}

static bool find_subject(const unsigned char *der, long n, unsigned long *hash)
{
	static const int before[] = { V_ASN1_INTEGER, V_ASN1_SEQUENCE, V_ASN1_SEQUENCE, V_ASN1_SEQUENCE };
	const unsigned char *at = der, *end = der + n;

	/* Into the certificate, and into what it signs. */
	for (int level = 0; level < 2; level++)
		if (!pass(&at, end, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL, false))
			return false;
	const unsigned char *version = at;
	if (pass(&version, end, 0, V_ASN1_CONTEXT_SPECIFIC, true))
		at = version;
	/* Serial number, algorithm, issuer, dates. */
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		if (!pass(&at, end, before[i], V_ASN1_UNIVERSAL, true))
			return false;
	X509_NAME *name = d2i_X509_NAME(NULL, &at, end - at);
	int ok = 0;
	if (name)
		*hash = X509_NAME_hash_ex(name, NULL, NULL, &ok);
	X509_NAME_free(name);
	return ok;
}

/* ---- reading one when a chain leads to it ---- */

static void read_root(struct root *root, X509_STORE *store)
{
	const unsigned char *at = root->der;
	X509 *cert = d2i_X509(NULL, &at, root->n);

	/* One that can't be read is one that nothing is trusted by. */
	if (cert)
		X509_STORE_add_cert(store, cert);
	X509_free(cert);
	ERR_clear_error();
	root->read = true;
}

static void read_those_called(X509_STORE *store, const X509_NAME *name)
{
	struct roots *r = X509_STORE_get_ex_data(store, roots_index);
	int ok = 0;
	unsigned long subject = X509_NAME_hash_ex(name, NULL, NULL, &ok);

	for (size_t i = 0; ok && i < r->n; i++)
		if (!r->at[i].read && r->at[i].subject == subject)
			read_root(&r->at[i], store);
}

static int find_issuer(X509 **issuer, X509_STORE_CTX *ctx, X509 *cert)
{
	read_those_called(X509_STORE_CTX_get0_store(ctx), X509_get_issuer_name(cert));
	return X509_STORE_CTX_get1_issuer(issuer, ctx, cert);
}

static STACK_OF(X509) * find_called(X509_STORE_CTX *ctx, const X509_NAME *name)
{
	read_those_called(X509_STORE_CTX_get0_store(ctx), name);
	return X509_STORE_CTX_get1_certs(ctx, name);
}

/* ---- the bundle ---- */

static void add(struct roots *r, unsigned long subject, unsigned char *der, long n)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 256;
		r->at = xrealloc(r->at, r->cap, sizeof *r->at);
	}
	r->at[r->n++] = (struct root){ .subject = subject, .der = der, .n = n };
}

int roots_take(struct roots *r, const char *pem, const char *what, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	unsigned char *der;
	long n;
	int rc = 0;

	if (!bio)
		return fail(err, ERR_SYSTEM, "OpenSSL has no memory");
	ERR_clear_error();
	while (rc == 0 && PEM_bytes_read_bio(&der, &n, NULL, PEM_STRING_X509, bio, NULL, NULL)) {
		unsigned long subject;
		if (find_subject(der, n, &subject)) {
			add(r, subject, der, n);
			continue;
		}
		OPENSSL_free(der);
		rc = fail(err, ERR_INPUT, "%s: a certificate that OpenSSL does not take", what);
	}
	unsigned long last = ERR_peek_last_error();
	if (rc == 0 && last && ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
		rc = fail(err, ERR_INPUT, "%s: something in it is no certificate in PEM form", what);
	ERR_clear_error();
	BIO_free(bio);
	return rc;
}

int roots_serve(struct roots *r, struct x509_store_st *store, struct err *err)
{
	if (roots_index < 0)
		roots_index = X509_STORE_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (!X509_STORE_set_ex_data(store, roots_index, r))
		return fail(err, ERR_SYSTEM, "OpenSSL has no memory");
	X509_STORE_set_get_issuer(store, find_issuer);
	X509_STORE_set_lookup_certs(store, find_called);
	return 0;
}

void roots_clear(struct roots *r)
{
	for (size_t i = 0; i < r->n; i++)
		OPENSSL_free(r->at[i].der);
	mem_drop(&r->at);
	*r = (struct roots){ 0 };
}
