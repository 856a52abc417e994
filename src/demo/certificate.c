#include "demo/certificate.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "base/own.h"
#include "base/random.h"
#include "base/banned.h"

enum { LIFE_SECONDS = 3600, SKEW_SECONDS = 300 };

static void key_drop(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
	*key = NULL;
}

static void x509_drop(X509 **x)
{
	X509_free(*x);
	*x = NULL;
}

static void context_drop(SSL_CTX **context)
{
	SSL_CTX_free(*context);
	*context = NULL;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

/* @issuer NULL: the authority itself. */
static X509 *make(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	OWN(x509_drop) X509 *x = X509_new();
	own_mem char *alternative = xasprintf("DNS:%s", name);
	unsigned char serial[8];
	uint64_t number = 0;
	bool authority = !issuer;

	if (!x)
		return NULL;
	random_bytes(serial, sizeof serial);
	for (size_t i = 0; i < sizeof serial; i++)
		number = number << 8 | serial[i];
	if (!X509_set_version(x, X509_VERSION_3) ||
	    !ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), number >> 1 | 1) ||
	    !X509_gmtime_adj(X509_getm_notBefore(x), -SKEW_SECONDS) ||
	    !X509_gmtime_adj(X509_getm_notAfter(x), LIFE_SECONDS) || !X509_set_pubkey(x, key) ||
	    !X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	                                (const unsigned char *)name, -1, -1, 0) ||
	    !X509_set_issuer_name(x, X509_get_subject_name(authority ? x : issuer)))
		return NULL;
	if (authority && (!add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE") ||
	                  !add_extension(x, x, NID_key_usage, "critical,keyCertSign")))
		return NULL;
	if (!authority && (!add_extension(x, issuer, NID_subject_alt_name, alternative) ||
	                   !add_extension(x, issuer, NID_ext_key_usage, "serverAuth")))
		return NULL;
	if (!X509_sign(x, issuer_key, EVP_sha256()))
		return NULL;
	return mem_steal(&x);
}

static bool add_pem(struct str *out, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long n;
	bool added = bio && PEM_write_bio_X509(bio, x) && (n = BIO_get_mem_data(bio, &bytes)) > 0;

	if (added)
		str_addn(out, bytes, (size_t)n);
	BIO_free(bio);
	return added;
}

struct ssl_ctx_st *certificate_context(const char *host, struct str *authority, struct err *err)
{
	OWN(key_drop) EVP_PKEY *root_key = EVP_EC_gen("P-256");
	OWN(key_drop) EVP_PKEY *key = EVP_EC_gen("P-256");
	OWN(x509_drop) X509 *root = root_key ? make("the demo's authority", root_key, NULL, root_key) : NULL;
	OWN(x509_drop) X509 *leaf = root && key ? make(host, key, root, root_key) : NULL;
	OWN(context_drop) SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!leaf || !context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
	    SSL_CTX_use_certificate(context, leaf) != 1 || SSL_CTX_use_PrivateKey(context, key) != 1 ||
	    !add_pem(authority, root)) {
		fail(err, ERR_SYSTEM, "make a certificate: %s", ERR_reason_error_string(ERR_get_error()));
		return NULL;
	}
	return mem_steal(&context);
}
