#include "test.h"
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include "egress/ca.h"
#include "egress/roots.h"

enum { OTHERS = 5 };

/* A bundle with the roots of five strangers, and, where @with it, ours in the middle. */
static void print_bundle(const struct ca *ours, bool with, struct str *out)
{
	for (int i = 0; i < OTHERS; i++) {
		struct ca other = CA_INIT;
		struct err err = ERR_INIT;
		own_mem char *name = xasprintf("stranger-%d", i);
		assert_ok(ca_make(name, &other, &err), &err);
		str_addf(out, "# %s\n%s", name, other.pem.data);
		if (with && i == OTHERS / 2)
			str_add(out, ours->pem.data);
		ca_clear(&other);
	}
}

static size_t count_read(const struct roots *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->at[i].read;
	return n;
}

/* Does a store that is served from @bundle believe @cert? */
static bool is_believed(const char *bundle, X509 *cert, size_t *read)
{
	struct roots roots = { 0 };
	struct err err = ERR_INIT;
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();

	assert_ok(roots_take(&roots, bundle, "a bundle", &err), &err);
	assert_int_equal(count_read(&roots), 0);
	assert_ok(roots_serve(&roots, store, &err), &err);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
	bool good = X509_verify_cert(ctx) == 1;
	*read = count_read(&roots);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	roots_clear(&roots);
	return good;
}

static void a_leaf_is_believed_by_its_own_root_alone(void **state)
{
	struct ca ca = CA_INIT;
	struct err err = ERR_INIT;
	struct x509_st *cert;
	struct evp_pkey_st *key;
	own_str struct str with = STR_INIT, without = STR_INIT;
	size_t read;

	(void)state;
	assert_ok(ca_make("ours", &ca, &err), &err);
	assert_ok(ca_issue(&ca, "api.example.com", &cert, &key, &err), &err);
	print_bundle(&ca, true, &with);
	print_bundle(&ca, false, &without);
	assert_true(is_believed(with.data, cert, &read));
	assert_int_equal(read, 1);
	assert_false(is_believed(without.data, cert, &read));
	assert_int_equal(read, 0);
	/* The root itself, as an origin's own certificate. */
	assert_true(is_believed(with.data, ca.cert, &read));
	assert_false(is_believed(without.data, ca.cert, &read));
	X509_free(cert);
	EVP_PKEY_free(key);
	ca_clear(&ca);
}

/* A root of the same name and another key is read, and does not help. */
static void a_root_that_only_has_the_name_is_not_enough(void **state)
{
	struct ca ours = CA_INIT, same = CA_INIT;
	struct err err = ERR_INIT;
	struct x509_st *cert;
	struct evp_pkey_st *key;
	own_str struct str both = STR_INIT;
	size_t read;

	(void)state;
	assert_ok(ca_make("twin", &ours, &err), &err);
	assert_ok(ca_make("twin", &same, &err), &err);
	assert_ok(ca_issue(&ours, "api.example.com", &cert, &key, &err), &err);
	assert_false(is_believed(same.pem.data, cert, &read));
	assert_int_equal(read, 1);
	str_addf(&both, "%s%s", same.pem.data, ours.pem.data);
	assert_true(is_believed(both.data, cert, &read));
	assert_int_equal(read, 2);
	X509_free(cert);
	EVP_PKEY_free(key);
	ca_clear(&ours);
	ca_clear(&same);
}

static void what_is_no_certificate_is_refused(void **state)
{
	static const char *const bundles[] = {
		"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMAMCAQA=\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bundles); i++) {
		struct roots roots = { 0 };
		struct err err = ERR_INIT;
		assert_refused(roots_take(&roots, bundles[i], "a bundle", &err), &err, ERR_INPUT, "a bundle");
		roots_clear(&roots);
	}
	struct roots none = { 0 };
	struct err err = ERR_INIT;
	assert_ok(roots_take(&none, "", "a bundle", &err), &err);
	assert_int_equal(none.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leaf_is_believed_by_its_own_root_alone),
		cmocka_unit_test(a_root_that_only_has_the_name_is_not_enough),
		cmocka_unit_test(what_is_no_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
