/* CONNECT targets and hosts: what is canonical stays so, and holds only the bytes that a host
 * may have. */
#include "driver/fuzz.h"

#include "wire/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice in = { (const char *)bytes, n }, name;
	struct host host, again;
	enum wire_fault fault = WIRE_FINE;
	int port;

	if (host_split(in, &name, &port, &fault) < 0) {
		must(fault != WIRE_FINE);
		return 0;
	}
	must(name.n > 0 && name.n <= n && (port == -1 || (port > 0 && port < 65536)));
	if (host_parse(name, &host, &fault) < 0) {
		must(fault != WIRE_FINE);
		return 0;
	}
	must(host.n == strlen(host.text) && host.n > 0);
	must(strspn(host.text, host.kind == HOST_V6 ? "0123456789abcdef:.[]" :
	                                              "abcdefghijklmnopqrstuvwxyz0123456789-.") == host.n);
	must(host_parse((struct slice){ host.text, host.n }, &again, &fault) == 0);
	must(again.kind == host.kind && strcmp(again.text, host.text) == 0);
	if (host.kind != HOST_NAME) {
		enum host_class class = host_address_class(host.address, host.kind == HOST_V4 ? 4 : 16);
		must(host_class_name(class));
		must(class != HOST_METADATA || !host_class_is_allowed(class, true));
	}
	return 0;
}
