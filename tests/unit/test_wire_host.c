#include "test.h"

#include <arpa/inet.h>
#include <string.h>

#include "wire/host.h"
#include "wire/tls.h"

/* clang-format off */
#define BYTES(s) { s, sizeof s - 1 }
/* clang-format on */

static void a_host_has_one_spelling(void **state)
{
	(void)state;
	static const struct {
		struct slice raw;
		const char *text;
		enum host_kind kind;
		bool single;
	} cases[] = {
		{ BYTES("API.Example.COM"), "api.example.com", HOST_NAME, false },
		{ BYTES("api.example.com."), "api.example.com", HOST_NAME, false },
		{ BYTES("xn--bcher-kva.example"), "xn--bcher-kva.example", HOST_NAME, false },
		{ BYTES("localhost"), "localhost", HOST_NAME, true },
		{ BYTES("localhost."), "localhost", HOST_NAME, true },
		{ BYTES("127.0.0.1"), "127.0.0.1", HOST_V4, false },
		{ BYTES("[::1]"), "[::1]", HOST_V6, false },
		{ BYTES("[0:0:0:0:0:0:0:1]"), "[::1]", HOST_V6, false },
		{ BYTES("[2001:DB8::A]"), "[2001:db8::a]", HOST_V6, false },
		{ BYTES("[::ffff:7f00:1]"), "[::ffff:127.0.0.1]", HOST_V6, false },
		{ BYTES("1.example.com"), "1.example.com", HOST_NAME, false },
		{ BYTES("0xzz"), "0xzz", HOST_NAME, true },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct host host;
		enum wire_fault fault = WIRE_FINE;
		if (host_parse(cases[i].raw, &host, &fault) < 0)
			fail_msg("%s: %s", cases[i].raw.at, wire_fault_word(fault));
		assert_string_equal(host.text, cases[i].text);
		assert_int_equal(host.n, strlen(cases[i].text));
		assert_int_equal(host.kind, cases[i].kind);
		if (host.kind == HOST_NAME)
			assert_int_equal(host.single_label, cases[i].single);
	}
}

static void other_spellings_of_hosts_are_refused(void **state)
{
	(void)state;
	static const struct {
		struct slice raw;
		enum wire_fault fault;
	} cases[] = {
		{ BYTES(""), WIRE_HOST },
		{ BYTES("."), WIRE_HOST },
		{ BYTES("a..b"), WIRE_HOST },
		{ BYTES(".a.b"), WIRE_HOST },
		{ BYTES("a.b.."), WIRE_HOST },
		{ BYTES("-a.b"), WIRE_HOST },
		{ BYTES("a-.b"), WIRE_HOST },
		{ BYTES("a.b-"), WIRE_HOST },
		{ BYTES("a_b.c"), WIRE_HOST },
		{ BYTES("b\xc3\xbc"
		        "cher.example"),
		  WIRE_HOST },
		{ BYTES("evil\0.allowed.test"), WIRE_HOST },
		{ BYTES("evil\r\n.allowed.test"), WIRE_HOST },
		{ BYTES("a b.test"), WIRE_HOST },
		{ BYTES("a\tb.test"), WIRE_HOST },
		{ BYTES("a%2eb.test"), WIRE_HOST },
		{ BYTES("*.test"), WIRE_HOST },
		{ BYTES("user@a.test"), WIRE_HOST },
		{ BYTES("a.test:443"), WIRE_HOST },
		{ BYTES("2130706433"), WIRE_HOST_ADDRESS },
		{ BYTES("0x7f000001"), WIRE_HOST_ADDRESS },
		{ BYTES("0X7F.1"), WIRE_HOST_ADDRESS },
		{ BYTES("017700000001"), WIRE_HOST_ADDRESS },
		{ BYTES("127.1"), WIRE_HOST_ADDRESS },
		{ BYTES("127.0.1"), WIRE_HOST_ADDRESS },
		{ BYTES("0177.0.0.1"), WIRE_HOST_ADDRESS },
		{ BYTES("127.0.0.01"), WIRE_HOST_ADDRESS },
		{ BYTES("127.0.0.1."), WIRE_HOST_ADDRESS },
		{ BYTES("127.0.0.0x1"), WIRE_HOST_ADDRESS },
		{ BYTES("256.1.1.1"), WIRE_HOST_ADDRESS },
		{ BYTES("1.2.3.4.5"), WIRE_HOST_ADDRESS },
		{ BYTES("a.0x"), WIRE_HOST_ADDRESS },
		{ BYTES("a.1"), WIRE_HOST_ADDRESS },
		{ BYTES("[::1%lo]"), WIRE_HOST },
		{ BYTES("[fe80::1%25eth0]"), WIRE_HOST },
		{ BYTES("[]"), WIRE_HOST },
		{ BYTES("[::1"), WIRE_HOST },
		{ BYTES("::1"), WIRE_HOST },
		{ BYTES("[127.0.0.1]"), WIRE_HOST },
		{ BYTES("[::1\0]"), WIRE_HOST },
		{ BYTES("[1:2:3:4:5:6:7:8:9]"), WIRE_HOST },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct host host;
		enum wire_fault fault = WIRE_FINE;
		if (host_parse(cases[i].raw, &host, &fault) == 0)
			fail_msg("\"%s\" was taken as %s", cases[i].raw.at, host.text);
		if (fault != cases[i].fault)
			fail_msg("\"%s\": %s", cases[i].raw.at, wire_fault_word(fault));
	}
}

static void names_and_labels_have_their_lengths(void **state)
{
	(void)state;
	char name[300];
	struct host host;
	enum wire_fault fault;

	memset(name, 'a', sizeof name);
	assert_int_equal(host_parse((struct slice){ name, 63 }, &host, &fault), 0);
	assert_int_equal(host_parse((struct slice){ name, 64 }, &host, &fault), -1);
	for (size_t i = 63; i < sizeof name; i += 64)
		name[i] = '.';
	assert_int_equal(host_parse((struct slice){ name, 253 }, &host, &fault), 0);
	assert_int_equal(host_parse((struct slice){ name, 254 }, &host, &fault), -1);
}

static void an_authority_is_split_once(void **state)
{
	(void)state;
	static const struct {
		struct slice raw;
		int rc;
		const char *host;
		int port;
	} cases[] = {
		{ BYTES("a.test"), 0, "a.test", -1 },
		{ BYTES("a.test:443"), 0, "a.test", 443 },
		{ BYTES("[::1]:8080"), 0, "[::1]", 8080 },
		{ BYTES("[::1]"), 0, "[::1]", -1 },
		{ BYTES("a.test:65535"), 0, "a.test", 65535 },
		{ BYTES("a.test:65536"), -1, "", 0 },
		{ BYTES("a.test:0"), -1, "", 0 },
		{ BYTES("a.test:+1"), -1, "", 0 },
		{ BYTES("a.test:"), -1, "", 0 },
		{ BYTES("a.test:080"), -1, "", 0 },
		{ BYTES("a.test:80:80"), -1, "", 0 },
		{ BYTES("u:p@a.test"), -1, "", 0 },
		{ BYTES("u@a.test:80"), -1, "", 0 },
		{ BYTES(":80"), -1, "", 0 },
		{ BYTES("::1"), -1, "", 0 },
		{ BYTES("[::1]x:80"), -1, "", 0 },
		{ BYTES("a\0b:80"), -1, "", 0 },
		{ BYTES("a]b:80"), -1, "", 0 },
		{ BYTES("a/b:80"), -1, "", 0 },
		{ BYTES(""), -1, "", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice host;
		int port;
		enum wire_fault fault;
		int rc = host_split(cases[i].raw, &host, &port, &fault);
		if (rc != cases[i].rc)
			fail_msg("%s: %d", cases[i].raw.at, rc);
		if (rc < 0)
			continue;
		assert_true(slice_is(host, cases[i].host));
		assert_int_equal(port, cases[i].port);
	}
}

static void addresses_are_what_they_reach(void **state)
{
	(void)state;
	static const struct {
		const char *address;
		enum host_class class;
	} cases[] = {
		{ "1.1.1.1", HOST_PUBLIC },
		{ "10.0.0.1", HOST_PRIVATE },
		{ "172.16.0.1", HOST_PRIVATE },
		{ "172.31.255.255", HOST_PRIVATE },
		{ "172.32.0.1", HOST_PUBLIC },
		{ "192.168.1.1", HOST_PRIVATE },
		{ "100.64.0.1", HOST_PRIVATE },
		{ "100.96.0.1", HOST_PRIVATE },
		{ "100.128.0.1", HOST_PUBLIC },
		{ "127.0.0.1", HOST_LOOPBACK },
		{ "127.255.0.1", HOST_LOOPBACK },
		{ "0.0.0.0", HOST_RESERVED },
		{ "0.1.2.3", HOST_RESERVED },
		{ "169.254.1.1", HOST_LINK_LOCAL },
		{ "169.254.169.254", HOST_METADATA },
		{ "169.254.170.2", HOST_METADATA },
		{ "100.100.100.200", HOST_METADATA },
		{ "168.63.129.16", HOST_METADATA },
		{ "192.0.0.192", HOST_METADATA },
		{ "192.0.0.1", HOST_RESERVED },
		{ "224.0.0.251", HOST_MULTICAST },
		{ "239.255.255.250", HOST_MULTICAST },
		{ "240.0.0.1", HOST_RESERVED },
		{ "255.255.255.255", HOST_RESERVED },
		{ "198.18.0.1", HOST_RESERVED },
		{ "203.0.113.9", HOST_RESERVED },
		{ "2606:4700::1111", HOST_PUBLIC },
		{ "::1", HOST_LOOPBACK },
		{ "::", HOST_RESERVED },
		{ "fd00:ec2::254", HOST_METADATA },
		{ "fd20:ce::254", HOST_METADATA },
		{ "fd00:c1::a9fe:a9fe", HOST_METADATA },
		{ "fd00:c1::a9fe:a9ff", HOST_PRIVATE },
		{ "fd00:a9fe:a9fe::1", HOST_METADATA },
		{ "fd00:a9fe:a9fe::2", HOST_PRIVATE },
		{ "fd00:100::100:200", HOST_METADATA },
		{ "fd00:100::100:201", HOST_PRIVATE },
		{ "fe80::a9fe:a9fe", HOST_METADATA },
		{ "fd12::1", HOST_PRIVATE },
		{ "fe80::1", HOST_LINK_LOCAL },
		{ "fec0::1", HOST_PRIVATE },
		{ "ff02::fb", HOST_MULTICAST },
		{ "2001:db8::1", HOST_RESERVED },
		{ "100::1", HOST_RESERVED },
		{ "4000::1", HOST_RESERVED },
		{ "::ffff:127.0.0.1", HOST_LOOPBACK },
		{ "::ffff:1.1.1.1", HOST_PUBLIC },
		{ "::ffff:169.254.169.254", HOST_METADATA },
		{ "::127.0.0.1", HOST_LOOPBACK },
		{ "::7f00:1", HOST_LOOPBACK },
		{ "::1.1.1.1", HOST_RESERVED },
		{ "::ffff:0:127.0.0.1", HOST_LOOPBACK },
		{ "::ffff:0:10.0.0.1", HOST_PRIVATE },
		{ "::ffff:0:1.1.1.1", HOST_RESERVED },
		{ "64:ff9b::10.0.0.1", HOST_PRIVATE },
		{ "64:ff9b::a9fe:a9fe", HOST_METADATA },
		{ "64:ff9b::1.1.1.1", HOST_PUBLIC },
		{ "64:ff9b:1::1", HOST_RESERVED },
		{ "2002:7f00:1::", HOST_LOOPBACK },
		{ "2002:a9fe:a9fe::1", HOST_METADATA },
		{ "2002:101:101::1", HOST_RESERVED },
		{ "2001:0:a00:1:0:0:feff:fffe", HOST_PRIVATE },    /* Teredo server 10.0.0.1 */
		{ "2001:0:101:101:0:0:80ff:fffe", HOST_LOOPBACK }, /* Teredo client 127.0.0.1 */
		{ "2606:4700::5efe:10.0.0.1", HOST_PRIVATE },
		{ "2606:4700::200:5efe:127.0.0.1", HOST_LOOPBACK },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned char bytes[16];
		bool six = strchr(cases[i].address, ':');
		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, cases[i].address, bytes), 1);
		enum host_class class = host_address_class(bytes, six ? 16 : 4);
		if (class != cases[i].class)
			fail_msg("%s is %s", cases[i].address, host_class_name(class));
	}
}

static void nothing_opens_metadata_multicast_and_reserved(void **state)
{
	(void)state;
	static const struct {
		enum host_class class;
		bool usual, on_request;
	} cases[] = {
		{ HOST_PUBLIC, true, true },      { HOST_PRIVATE, false, true },
		{ HOST_LOOPBACK, false, true },   { HOST_LINK_LOCAL, false, true },
		{ HOST_MULTICAST, false, false }, { HOST_METADATA, false, false },
		{ HOST_RESERVED, false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(host_class_is_allowed(cases[i].class, false), cases[i].usual);
		assert_int_equal(host_class_is_allowed(cases[i].class, true), cases[i].on_request);
	}
}

/* Builds a ClientHello from its extensions, in records of at most @piece bytes. */
static void hello_build(struct str *out, const char *extensions, size_t n, size_t piece)
{
	own_str struct str hello = STR_INIT;
	size_t body = 2 + 32 + 1 + 2 + 2 + 1 + 1 + 2 + n;

	str_addn(&hello, "\x01\0", 2);
	str_addc(&hello, (char)(body >> 8));
	str_addc(&hello, (char)body);
	str_addn(&hello, "\x03\x03", 2);
	for (int i = 0; i < 32; i++)
		str_addc(&hello, 'r');
	str_addn(&hello, "\0\0\x02\x13\x01\x01\0", 7);
	str_addc(&hello, (char)(n >> 8));
	str_addc(&hello, (char)n);
	str_addn(&hello, extensions, n);
	for (size_t at = 0; at < hello.len; at += piece) {
		size_t m = hello.len - at < piece ? hello.len - at : piece;
		str_addn(out, "\x16\x03\x01", 3);
		str_addc(out, (char)(m >> 8));
		str_addc(out, (char)m);
		str_addn(out, hello.data + at, m);
	}
}

#define SNI_A_TEST                 \
	"\0\0\0\x0b\0\x09\0\0\x06" \
	"a.test"
#define ALPN_BOTH "\0\x10\0\x0e\0\x0c\x02h2\x08http/1.1"
#define TLS13     "\0\x2b\0\x03\x02\x03\x04"

static void a_client_hello_says_whom_it_wants(void **state)
{
	(void)state;
	static const char extensions[] = SNI_A_TEST ALPN_BOTH TLS13 "\xfe\x0d\0\x01\0";

	for (size_t piece = 1; piece < 200; piece += 7) {
		own_str struct str in = STR_INIT;
		struct tls_hello hello;
		enum wire_fault fault = WIRE_FINE;

		hello_build(&in, extensions, sizeof extensions - 1, piece);
		for (size_t n = 0; n < in.len; n++)
			assert_int_equal(tls_hello_parse((struct slice){ in.data, n }, &hello, &fault), 0);
		str_add(&in, "next flight");
		assert_int_equal(tls_hello_parse((struct slice){ in.data, in.len }, &hello, &fault),
		                 in.len - 11);
		assert_string_equal(hello.sni, "a.test");
		assert_true(hello.has_sni && hello.alpn_h2 && hello.alpn_http1 && hello.tls13 && hello.ech);
	}
}

static void a_crooked_client_hello_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct slice extensions;
		int fault;
	} cases[] = {
		{ "no extension", BYTES(""), 0 },
		{ "two names",
		  BYTES("\0\0\0\x14\0\x12\0\0\x06"
		        "a.test\0\0\x06"
		        "b.test"),
		  WIRE_SNI },
		{ "SNI twice", BYTES(SNI_A_TEST SNI_A_TEST), WIRE_CLIENT_HELLO },
		{ "another type",
		  BYTES("\0\0\0\x0b\0\x09\x01\0\x06"
		        "a.test"),
		  WIRE_SNI },
		{ "NUL in it",
		  BYTES("\0\0\0\x0b\0\x09\0\0\x06"
		        "a\0test"),
		  WIRE_SNI },
		{ "empty name", BYTES("\0\0\0\x05\0\x03\0\0\0"), WIRE_SNI },
		{ "name over the end",
		  BYTES("\0\0\0\x0b\0\x09\0\0\x07"
		        "a.test"),
		  WIRE_SNI },
		{ "extension over the end", BYTES("\0\x10\0\x40\0"), WIRE_CLIENT_HELLO },
		{ "odd ALPN", BYTES("\0\x10\0\x03\0\x01\0"), WIRE_CLIENT_HELLO },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		own_str struct str in = STR_INIT;
		struct tls_hello hello;
		enum wire_fault fault = WIRE_FINE;

		hello_build(&in, cases[i].extensions.at, cases[i].extensions.n, 16384);
		ssize_t rc = tls_hello_parse((struct slice){ in.data, in.len }, &hello, &fault);
		if (cases[i].fault ? rc != -1 || (int)fault != cases[i].fault : rc <= 0)
			fail_msg("%s: %zd %s", cases[i].what, rc, wire_fault_word(fault));
	}
	enum wire_fault fault;
	struct tls_hello hello;
	static const struct slice junk[] = { BYTES("GET / HTTP/1.1\r\n"),
		                             BYTES("\x16\x02\x01\0\x05"),
		                             BYTES("\x15\x03\x01"),
		                             BYTES("\x16\x03\x01\0\0"),
		                             BYTES("\x16\x03\x01\0\x04\x02\0\0\0"),
		                             BYTES("\x16\x03\x01\0\x04\x01\xff\xff\xff"),
		                             BYTES("\x16\x03\x01\x40\x01") };
	for (size_t i = 0; i < ARRAY_LEN(junk); i++)
		assert_int_equal(tls_hello_parse(junk[i], &hello, &fault), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_has_one_spelling),
		cmocka_unit_test(other_spellings_of_hosts_are_refused),
		cmocka_unit_test(names_and_labels_have_their_lengths),
		cmocka_unit_test(an_authority_is_split_once),
		cmocka_unit_test(addresses_are_what_they_reach),
		cmocka_unit_test(nothing_opens_metadata_multicast_and_reserved),
		cmocka_unit_test(a_client_hello_says_whom_it_wants),
		cmocka_unit_test(a_crooked_client_hello_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
