/* What a sidecar says, and what it is told. The first byte chooses: its messages and the CA
 * that the gateway adds, or the gateway's configuration. What decodes is within its limits
 * and encodes to the same bytes. */
#include "driver/fuzz.h"

#include <string.h>

#include "proto/egress.h"
#include "proto/sidecar.h"

static void must_be_same(const struct str *again, const uint8_t *bytes, size_t n)
{
	must(again->len == n && memcmp(str_c(again), bytes, n) == 0);
}

static void check_limits(const struct sidecar_message *m)
{
	must(m->records.n <= SIDECAR_AUDIT_BATCH);
	for (size_t i = 0; i < m->records.n; i++)
		must(strlen(m->records.v[i]) <= SIDECAR_AUDIT_RECORD);
	must(m->say != SIDECAR_LOG || (strlen(m->text) <= SIDECAR_LOG_LINE && m->level <= LOG_INFO));
	must(m->say != SIDECAR_STATE || strlen(m->text) <= SIDECAR_STATE_MAX);
	must(m->resolv_conf.len <= SIDECAR_FILE_MAX && m->hosts.len <= SIDECAR_FILE_MAX);
	must(m->say != SIDECAR_FAILED || m->why.kind != ERR_NONE);
}

static void try_message(const struct str *in)
{
	own_sidecar_message struct sidecar_message m = SIDECAR_MESSAGE_INIT;
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (sidecar_message_decode(in, &m, &err) != 0) {
		must(err.kind == ERR_INPUT && !m.text && !m.records.v && !m.hosts.data);
		return;
	}
	if (m.say >= SIDECAR_OWN)
		return;
	check_limits(&m);
	sidecar_message_encode(&m, &again);
	must_be_same(&again, (const uint8_t *)in->data, in->len);
}

static void try_ca(const struct str *in)
{
	own_mem char *pem = NULL;
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (egress_ca_decode(in, &pem, &err) != 0) {
		must(err.kind == ERR_INPUT && !pem);
		return;
	}
	egress_ca_encode(pem, &again);
	must_be_same(&again, (const uint8_t *)in->data, in->len);
}

static void try_config(const struct str *in)
{
	own_egress_config struct egress_config c = EGRESS_CONFIG_INIT;
	own_str struct str again = STR_INIT;
	struct err err = ERR_INIT;

	if (egress_config_decode(in->data, in->len, &c, &err) != 0) {
		must(err.kind == ERR_INPUT && !c.slug && !c.credentials);
		return;
	}
	must(c.ncredentials <= EGRESS_CREDENTIALS_MAX && c.slug && c.routes && c.nonce);
	egress_config_encode(&c, &again);
	must_be_same(&again, (const uint8_t *)in->data, in->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	own_str struct str in = STR_INIT;

	if (n == 0)
		return 0;
	str_addn(&in, (const char *)bytes + 1, n - 1);
	if (bytes[0] & 1) {
		try_config(&in);
		return 0;
	}
	try_message(&in);
	try_ca(&in);
	return 0;
}
