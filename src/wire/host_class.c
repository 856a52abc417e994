#include "wire/host.h"

#include "base/err.h"
#include "base/own.h"

#include "base/banned.h"

struct range {
	unsigned char prefix[16];
	unsigned bits;
	enum host_class class;
};

/* The first row that fits decides: the metadata addresses stand before the ranges around
 * them. What no row names is public. Registry: IANA special-purpose addresses, RFC 6890. */
static const struct range v4[] = {
	{ { 169, 254, 169, 0 }, 24, HOST_METADATA }, /* EC2, GCE, Azure, OpenStack, OCI, their DNS and NTP */
	{ { 169, 254, 170, 0 }, 24, HOST_METADATA }, /* ECS and EKS credentials */
	{ { 169, 254, 0, 23 }, 32, HOST_METADATA },  /* Tencent */
	{ { 169, 254, 42, 42 }, 32, HOST_METADATA }, /* Scaleway */
	{ { 100, 100, 100, 200 }, 32, HOST_METADATA }, /* Alibaba */
	{ { 168, 63, 129, 16 }, 32, HOST_METADATA },   /* Azure wire server; looks public */
	{ { 192, 0, 0, 192 }, 32, HOST_METADATA },     /* Oracle classic */
	{ { 0 }, 8, HOST_RESERVED },                   /* "this host": Linux dials itself */
	{ { 10 }, 8, HOST_PRIVATE },
	{ { 100, 64 }, 10, HOST_PRIVATE }, /* shared by carriers, VPNs, the VM's gateway */
	{ { 127 }, 8, HOST_LOOPBACK },
	{ { 169, 254 }, 16, HOST_LINK_LOCAL },
	{ { 172, 16 }, 12, HOST_PRIVATE },
	{ { 192, 0, 0 }, 24, HOST_RESERVED },
	{ { 192, 0, 2 }, 24, HOST_RESERVED },
	{ { 192, 88, 99 }, 24, HOST_RESERVED },
	{ { 192, 168 }, 16, HOST_PRIVATE },
	{ { 198, 18 }, 15, HOST_RESERVED },
	{ { 198, 51, 100 }, 24, HOST_RESERVED },
	{ { 203, 0, 113 }, 24, HOST_RESERVED },
	{ { 224 }, 4, HOST_MULTICAST },
	{ { 240 }, 4, HOST_RESERVED }, /* with 255.255.255.255 */
};

/* Outside 2000::/3 nothing is public, so the last row takes all that is left. The metadata
 * addresses are those of the clouds' own manuals; OCI's is that of its SDK (the signer for
 * instance principals), Alibaba's that of the data source that its people keep in cloud-init. */
static const struct range v6[] = {
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32, HOST_METADATA },                                 /* EC2 */
	{ { 0xfd, 0x20, 0x00, 0xce }, 32, HOST_METADATA },                                 /* GCE */
	{ { 0xfd, 0x00, 0x00, 0x42, [15] = 0x42 }, 128, HOST_METADATA },                   /* Scaleway */
	{ { 0xfd, 0x00, 0x00, 0xc1, [12] = 0xa9, 0xfe, 0xa9, 0xfe }, 128, HOST_METADATA }, /* OCI */
	{ { 0xfd, 0x00, 0xa9, 0xfe, 0xa9, 0xfe, [15] = 1 }, 128, HOST_METADATA },          /* Linode */
	{ { 0xfd, 0x00, 0x01, 0x00, [12] = 1, 0, 2, 0 }, 128, HOST_METADATA },             /* Alibaba */
	{ { 0xfe, 0x80, [12] = 169, 254, 169, 254 }, 128, HOST_METADATA },                 /* OpenStack */
	{ { [15] = 1 }, 128, HOST_LOOPBACK },
	{ { 0xfc }, 7, HOST_PRIVATE },
	{ { 0xfe, 0x80 }, 10, HOST_LINK_LOCAL },
	{ { 0xfe, 0xc0 }, 10, HOST_PRIVATE }, /* the former site-local */
	{ { 0xff }, 8, HOST_MULTICAST },
	{ { 0x20, 0x01, 0x00 }, 23, HOST_RESERVED }, /* protocol assignments, with Teredo and ORCHID */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, HOST_RESERVED },
	{ { 0x20, 0x02 }, 16, HOST_RESERVED }, /* 6to4 */
	{ { 0x3f, 0xff }, 20, HOST_RESERVED },
	{ { 0x20 }, 3, HOST_PUBLIC },
	{ { 0 }, 0, HOST_RESERVED },
};

/* Forms that carry an IPv4 address at @at. The mapped form and NAT64 are as good as what they
 * carry; through the others nobody has reason to reach a public host. */
static const struct carrier {
	unsigned char prefix[16];
	unsigned bits;
	unsigned char at, flip;
	bool public_is_fine;
} carriers[] = {
	{ { [10] = 0xff, 0xff }, 96, 12, 0, true },      /* ::ffff:a.b.c.d, mapped */
	{ { [8] = 0xff, 0xff }, 96, 12, 0, false },      /* ::ffff:0:a.b.c.d, translated */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, 12, 0, true }, /* 64:ff9b::a.b.c.d, NAT64 */
	{ { 0x20, 0x02 }, 16, 2, 0, false },             /* 6to4 */
	{ { 0x20, 0x01 }, 32, 4, 0, false },             /* Teredo: its server */
	{ { 0x20, 0x01 }, 32, 12, 0xff, false },         /* Teredo: its client, inverted */
	{ { 0 }, 96, 12, 0, false },                     /* ::a.b.c.d, compatible */
};

static bool has_prefix(const unsigned char *address, const unsigned char *prefix, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(address, prefix, bytes) != 0)
		return false;
	return rest == 0 || ((address[bytes] ^ prefix[bytes]) & (0xff00 >> rest) & 0xff) == 0;
}

static enum host_class class_in(const struct range *ranges, size_t n, const unsigned char *address)
{
	for (size_t i = 0; i < n; i++)
		if (has_prefix(address, ranges[i].prefix, ranges[i].bits))
			return ranges[i].class;
	return HOST_PUBLIC;
}

static enum host_class class_carried(const unsigned char *address, unsigned char at, unsigned char flip)
{
	unsigned char carried[4];

	for (size_t i = 0; i < sizeof carried; i++)
		carried[i] = address[at + i] ^ flip;
	return class_in(v4, ARRAY_LEN(v4), carried);
}

/* ISATAP: an interface identifier ::0:5efe:a.b.c.d or ::200:5efe:a.b.c.d under any prefix. */
static bool is_isatap(const unsigned char *address)
{
	return (address[8] & 0xfd) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

static enum host_class class_v6(const unsigned char *address)
{
	enum host_class plain = class_in(v6, ARRAY_LEN(v6), address);

	if (plain == HOST_LOOPBACK || plain == HOST_METADATA)
		return plain;
	for (size_t i = 0; i < ARRAY_LEN(carriers); i++) {
		const struct carrier *c = &carriers[i];

		if (!has_prefix(address, c->prefix, c->bits))
			continue;
		enum host_class carried = class_carried(address, c->at, c->flip);
		if (carried != HOST_PUBLIC || c->public_is_fine)
			return carried;
	}
	if (plain == HOST_PUBLIC && is_isatap(address))
		return class_carried(address, 12, 0);
	return plain;
}

enum host_class host_address_class(const unsigned char *address, size_t n)
{
	if (n == 4)
		return class_in(v4, ARRAY_LEN(v4), address);
	if (n == 16)
		return class_v6(address);
	bug("an address has 4 or 16 bytes, not %zu", n);
}

static const struct {
	const char *name;
	enum { NEVER, ALWAYS, ON_REQUEST } allowed;
} classes[] = {
	[HOST_PUBLIC] = { "public", ALWAYS },         [HOST_PRIVATE] = { "private", ON_REQUEST },
	[HOST_LOOPBACK] = { "loopback", ON_REQUEST }, [HOST_LINK_LOCAL] = { "link-local", ON_REQUEST },
	[HOST_MULTICAST] = { "multicast", NEVER },    [HOST_METADATA] = { "metadata", NEVER },
	[HOST_RESERVED] = { "reserved", NEVER },
};

const char *host_class_name(enum host_class class)
{
	return classes[class].name;
}

bool host_class_is_allowed(enum host_class class, bool allow_private)
{
	return classes[class].allowed == ALWAYS || (allow_private && classes[class].allowed == ON_REQUEST);
}
