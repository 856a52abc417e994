/* A ClientHello is "more bytes" for each of its beginnings, or refused, never something else. */
#include "driver/fuzz.h"

#include "wire/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice in = { (const char *)bytes, n };
	struct tls_hello hello, again;
	enum wire_fault fault = WIRE_FINE;
	ssize_t used = tls_hello_parse(in, &hello, &fault);

	must(used <= (ssize_t)n);
	if (used < 0)
		must(fault == WIRE_CLIENT_HELLO || fault == WIRE_SNI);
	if (used <= 0)
		return 0;
	must(!hello.has_sni || (hello.sni_n > 0 && hello.sni_n == strlen(hello.sni)));
	for (size_t cut = 0; cut < (size_t)used; cut += 1 + (size_t)used / 50)
		must(tls_hello_parse(slice_cut(in, 0, cut), &again, &fault) == 0);
	must(tls_hello_parse(slice_cut(in, 0, (size_t)used), &again, &fault) == used);
	must(hello.has_sni == again.has_sni && strcmp(hello.sni, again.sni) == 0);
	return 0;
}
