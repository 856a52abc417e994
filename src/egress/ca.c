#include "egress/ca.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/own.h"
#include "base/random.h"
#include "base/banned.h"

enum {
	HOUR = 3600,
	DAY = 24 * HOUR,
	BACKDATED = HOUR, /* for a guest whose clock is late */
	CA_DAYS = 365,
	/* Clients refuse leaves of more than 398 days. */
	LEAF_DAYS = 364,
};

static int add_extension(X509 *cert, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, (X509 *)issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	int ok = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return ok;
}

static int set_serial(X509 *cert)
{
	unsigned char bytes[16];

	random_bytes(bytes, sizeof bytes);
	bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always of one length */
	BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
	int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return ok;
}

static int set_name(X509_NAME *name, const char *common)
{
	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"bot-bottle", -1,
	                                  -1, 0) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common, -1, -1,
	                                  0);
}

/* Everything that a CA and a leaf have in common. */
static X509 *blank(EVP_PKEY *key, int days)
{
	X509 *cert = X509_new();

	if (cert && X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -(long)BACKDATED) &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY) && X509_set_pubkey(cert, key))
		return cert;
	X509_free(cert);
	return NULL;
}

static int print_pem(X509 *cert, struct str *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	int ok = bio && PEM_write_bio_X509(bio, cert);

	if (ok) {
		long n = BIO_get_mem_data(bio, &text);
		str_addn(out, text, (size_t)n);
	}
	BIO_free(bio);
	return ok;
}

int ca_make(const char *slug, struct ca *out, struct err *err)
{
	struct ca ca = CA_INIT;
	own_mem char *common = xasprintf("bot-bottle %.40s", slug);

	ca.key = EVP_EC_gen("P-256");
	ca.cert = ca.key ? blank(ca.key, CA_DAYS) : NULL;
	if (!ca.cert || !set_name(X509_get_subject_name(ca.cert), common) ||
	    !X509_set_issuer_name(ca.cert, X509_get_subject_name(ca.cert)) ||
	    !add_extension(ca.cert, ca.cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_extension(ca.cert, ca.cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
	    !add_extension(ca.cert, ca.cert, NID_subject_key_identifier, "hash") ||
	    !X509_sign(ca.cert, ca.key, EVP_sha256()) || !print_pem(ca.cert, &ca.pem)) {
		ca_clear(&ca);
		return fail(err, ERR_SYSTEM, "OpenSSL made no certificate authority");
	}
	*out = ca;
	return 0;
}

void ca_clear(struct ca *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	ca->cert = NULL;
	ca->key = NULL;
	str_clear(&ca->pem);
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

int ca_issue(const struct ca *ca, const char *host, struct x509_st **cert, struct evp_pkey_st **key,
             struct err *err)
{
	own_mem char *name = xasprintf("%s:%s", is_address(host) ? "IP" : "DNS", host);
	EVP_PKEY *leaf_key = EVP_EC_gen("P-256");
	X509 *leaf = leaf_key ? blank(leaf_key, LEAF_DAYS) : NULL;

	/* The host stands in the alternative names alone: a common name holds 64 bytes at most. */
	if (leaf && set_name(X509_get_subject_name(leaf), "leaf") &&
	    X509_set_issuer_name(leaf, X509_get_subject_name(ca->cert)) &&
	    add_extension(leaf, ca->cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(leaf, ca->cert, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(leaf, ca->cert, NID_ext_key_usage, "serverAuth") &&
	    add_extension(leaf, ca->cert, NID_subject_key_identifier, "hash") &&
	    add_extension(leaf, ca->cert, NID_authority_key_identifier, "keyid:always") &&
	    add_extension(leaf, ca->cert, NID_subject_alt_name, name) &&
	    X509_sign(leaf, ca->key, EVP_sha256())) {
		*cert = leaf;
		*key = leaf_key;
		return 0;
	}
	X509_free(leaf);
	EVP_PKEY_free(leaf_key);
	return fail(err, ERR_SYSTEM, "OpenSSL made no certificate for %s", host);
}
