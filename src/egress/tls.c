#include "egress/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/own.h"
#include "base/banned.h"

/* Where an origin's SSL finds its name, and its context us. */
static int origin_index = -1;

static const unsigned char http1[] = { 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };

static int choose_http1(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *offered,
                        unsigned offered_n, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, n, http1, sizeof http1, offered, offered_n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_of(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                              SSL_MODE_RELEASE_BUFFERS);
	/* One record ahead. With more OpenSSL moves what is left to the front, before each record. */
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	return ctx;
}

/* What the operator adds is few, and read at once: a mistake in it is told before the launch. */
static int add_extra(X509_STORE *store, const char *pem, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert;
	int rc = 0;

	if (!bio)
		return fail(err, ERR_SYSTEM, "OpenSSL has no memory");
	ERR_clear_error();
	while (rc == 0 && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (!X509_STORE_add_cert(store, cert))
			rc = fail(err, ERR_INPUT, "extra_ca: a certificate that OpenSSL does not take");
		X509_free(cert);
	}
	unsigned long last = ERR_peek_last_error();
	if (rc == 0 && last && ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
		rc = fail(err, ERR_INPUT, "extra_ca: something in it is no certificate in PEM form");
	ERR_clear_error();
	BIO_free(bio);
	return rc;
}

static size_t session_slot(struct tls *tls, const char *origin)
{
	for (size_t i = 0; i < TLS_SESSIONS; i++)
		if (str_is(tls->sessions[i].origin, origin))
			return i;
	return TLS_SESSIONS;
}

/* An origin gave us something to resume with. Returns 1: the session is ours now. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *origin = SSL_get_ex_data(ssl, origin_index);

	if (!origin)
		return 0;
	size_t i = session_slot(tls, origin);
	if (i == TLS_SESSIONS) {
		i = tls->next_session++ % TLS_SESSIONS;
		mem_drop(&tls->sessions[i].origin);
		tls->sessions[i].origin = xstrdup(origin);
	}
	SSL_SESSION_free(tls->sessions[i].session);
	tls->sessions[i].session = session;
	return 1;
}

static int make_origins(struct tls *tls, const char *extra, struct err *err)
{
	tls->origins = context_of(TLS_client_method());
	if (!tls->origins)
		return fail(err, ERR_SYSTEM, "OpenSSL made no context");
	SSL_CTX_set_app_data(tls->origins, tls);
	SSL_CTX_set_verify(tls->origins, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_alpn_protos(tls->origins, http1, sizeof http1);
	SSL_CTX_set_session_cache_mode(tls->origins, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls->origins, keep_session);
	X509_STORE *store = SSL_CTX_get_cert_store(tls->origins);
	return roots_serve(&tls->roots, store, err) == 0 ? add_extra(store, extra, err) : -1;
}

int tls_take_roots(struct tls *tls, const char *roots, struct err *err)
{
	return roots_take(&tls->roots, roots, "the system's trusted roots", err);
}

int tls_init(struct tls *out, const char *slug, const char *extra, struct err *err)
{
	*out = (struct tls){ 0 };
	if (origin_index < 0)
		origin_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	if (ca_make(slug, &out->ca, err) == 0 && make_origins(out, extra, err) == 0)
		return 0;
	tls_clear(out);
	return -1;
}

void tls_clear(struct tls *tls)
{
	for (size_t i = 0; i < TLS_LEAVES; i++) {
		mem_drop(&tls->leaves[i].host);
		SSL_CTX_free(tls->leaves[i].context);
		tls->leaves[i].context = NULL;
	}
	for (size_t i = 0; i < TLS_SESSIONS; i++) {
		mem_drop(&tls->sessions[i].origin);
		SSL_SESSION_free(tls->sessions[i].session);
		tls->sessions[i].session = NULL;
	}
	SSL_CTX_free(tls->origins);
	tls->origins = NULL;
	roots_clear(&tls->roots);
	ca_clear(&tls->ca);
}

/* The host as certificates spell it: addresses without brackets. */
static void bare_name(const struct host *host, char out[HOST_MAX + 3])
{
	size_t bracket = host->kind == HOST_V6;

	memcpy(out, host->text + bracket, host->n - 2 * bracket);
	out[host->n - 2 * bracket] = '\0';
}

static SSL_CTX *make_leaf(struct tls *tls, const char *name, struct err *err)
{
	struct x509_st *cert;
	struct evp_pkey_st *key;

	if (ca_issue(&tls->ca, name, &cert, &key, err) != 0)
		return NULL;
	SSL_CTX *ctx = context_of(TLS_server_method());
	int ok = ctx && SSL_CTX_use_certificate(ctx, cert) && SSL_CTX_use_PrivateKey(ctx, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	if (!ok) {
		SSL_CTX_free(ctx);
		fail(err, ERR_SYSTEM, "OpenSSL made no context for %s", name);
		return NULL;
	}
	SSL_CTX_set_alpn_select_cb(ctx, choose_http1, NULL);
	/* The guest holds the issuer: without this, every handshake looks for a longer chain. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	/* A guest resumes with a ticket; nothing of it is kept here. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"guest", 5);
	SSL_CTX_set_num_tickets(ctx, 1);
	return ctx;
}

static struct tls_leaf *leaf_slot(struct tls *tls, const char *name)
{
	struct tls_leaf *oldest = &tls->leaves[0];

	for (size_t i = 0; i < TLS_LEAVES; i++) {
		struct tls_leaf *leaf = &tls->leaves[i];
		if (!leaf->host)
			return leaf;
		if (str_is(leaf->host, name))
			return leaf;
		if (leaf->used < oldest->used)
			oldest = leaf;
	}
	/* Connections that still use it hold references of their own. */
	mem_drop(&oldest->host);
	SSL_CTX_free(oldest->context);
	oldest->context = NULL;
	return oldest;
}

struct ssl_st *tls_serve(struct tls *tls, const struct host *host, struct err *err)
{
	char name[HOST_MAX + 3];

	bare_name(host, name);
	struct tls_leaf *leaf = leaf_slot(tls, name);
	if (!leaf->host) {
		leaf->context = make_leaf(tls, name, err);
		if (!leaf->context)
			return NULL;
		leaf->host = xstrdup(name);
	}
	leaf->used = ++tls->clock;
	SSL *ssl = SSL_new(leaf->context);
	if (ssl)
		SSL_set_accept_state(ssl);
	else
		fail(err, ERR_SYSTEM, "OpenSSL made no connection for %s", name);
	return ssl;
}

struct ssl_st *tls_dial(struct tls *tls, const struct host *host, const char *origin, struct err *err)
{
	char name[HOST_MAX + 3];
	SSL *ssl = SSL_new(tls->origins);
	int ok = ssl != NULL;

	bare_name(host, name);
	if (ok && host->kind == HOST_NAME) {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		ok = SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
	} else if (ok) {
		ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
	}
	if (!ok || !SSL_set_ex_data(ssl, origin_index, (void *)origin)) {
		SSL_free(ssl);
		fail(err, ERR_SYSTEM, "OpenSSL made no connection to %s", name);
		return NULL;
	}
	size_t i = session_slot(tls, origin);
	if (i < TLS_SESSIONS && tls->sessions[i].session)
		SSL_set_session(ssl, tls->sessions[i].session);
	SSL_set_connect_state(ssl);
	return ssl;
}

const char *tls_refused_because(struct ssl_st *ssl)
{
	long result = SSL_get_verify_result(ssl);

	return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}
