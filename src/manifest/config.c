#include "manifest/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <arpa/inet.h>

#include "base/file.h"
#include "manifest/check.h"
#include "manifest/fields.h"
#include "manifest/manifest.h"
#include "manifest/rows.h"
#include "base/banned.h"

static int check_backend(char **text, struct err *err)
{
	static const char *const names[] = { "smolmachines", "namespace" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(*text, names[i]))
			return 0;
	return fail(err, ERR_INPUT, "\"%.60s\" is no backend; there are smolmachines, namespace", *text);
}

static int check_bundle(char **text, struct err *err)
{
	if (str_is(*text, "embedded") || str_is(*text, "docker"))
		return 0;
	return fail(err, ERR_INPUT, "\"%.60s\" is no bundle; there are embedded, docker", *text);
}

#define OBJECT struct host_config_host
static const struct field host_fields[] = {
	ROW("address", FIELD_TEXT, address, .check = check_address, HELP("see hosts")),
};
static const struct schema host_schema =
	SCHEMA("hosts", host_fields, .name_at = offsetof(struct host_config_host, name),
               .check_name = check_exact_host);
#undef OBJECT

static int finish_leases(void *object, bool complete, struct err *err)
{
	const struct host_config_leases *leases = object;
	struct in_addr first, last;

	if (!complete)
		return 0;
	inet_pton(AF_INET, leases->first, &first);
	inet_pton(AF_INET, leases->last, &last);
	if (ntohl(first.s_addr) > ntohl(last.s_addr))
		return fail(err, ERR_INPUT, "leases: first %s is behind last %s", leases->first,
		            leases->last);
	if (ntohl(last.s_addr) - ntohl(first.s_addr) >= 4096)
		return fail(err, ERR_INPUT, "leases: more than 4096 addresses");
	return 0;
}

#define OBJECT struct host_config_leases
static const struct field leases_fields[] = {
	ROW("first", FIELD_TEXT, first, .check = check_loopback, .fallback = "127.0.0.16",
	    HELP("first address")),
	ROW("last", FIELD_TEXT, last, .check = check_loopback, .fallback = "127.0.0.31",
	    HELP("last address")),
	ROW("directory", FIELD_TEXT, directory, .check = check_absolute,
	    HELP("where the locks are; by default /run/bot-bottle/leases where it exists, else the user's own")),
};
static const struct schema leases_schema = SCHEMA("leases", leases_fields, .finish = finish_leases);
#undef OBJECT

/* That the gateway has for connections: each of the guest's takes two, its own and the one to an origin. */
enum { GATEWAY_DESCRIPTORS = 3968 };

static int finish_limits(void *object, bool complete, struct err *err)
{
	const struct host_config_limits *l = object;

	if (complete && 2 * l->connections + l->pool > GATEWAY_DESCRIPTORS)
		return fail(
			err, ERR_INPUT,
			"limits: connections %lu and pool %lu need %lu descriptors; twice connections and pool "
			"are at most %d together",
			l->connections, l->pool, 2 * l->connections + l->pool, GATEWAY_DESCRIPTORS);
	return 0;
}

#define LIMIT(name, low, high, standard, help) \
	ROW(#name, FIELD_NUMBER, name, .min = low, .max = high, .fallback = standard, HELP(help))

#define OBJECT struct host_config_limits
static const struct field limits_fields[] = {
	LIMIT(head_bytes, 1024, 1048576, "65536", "bytes of a request's or response's head"),
	LIMIT(headers, 8, 128, "128", "fields in a head"),
	LIMIT(head_ms, 100, 600000, "30000", "milliseconds for a whole head, or a TLS handshake"),
	LIMIT(idle_ms, 1000, 86400000, "600000", "milliseconds without a byte in either direction"),
	LIMIT(total_ms, 0, 604800000, "21600000", "milliseconds of one exchange; 0: as long as bytes move"),
	LIMIT(connect_ms, 100, 600000, "15000", "milliseconds to reach an origin, resolving included"),
	LIMIT(pool_ms, 0, 3600000, "30000", "milliseconds for which an idle connection to an origin is kept"),
	LIMIT(connections, 1, 1984, "256",
	      "connections of the bottle at once; twice that and pool are at most 3968"),
	LIMIT(pool, 0, 3966, "32", "idle connections to origins that are kept"),
	LIMIT(decoded_bytes, 65536, 4294967295, "268435456",
	      "bytes of one encoded body, decoded, on a route with a credential"),
	LIMIT(frame_bytes, 1024, 1073741824, "16777216", "bytes of one WebSocket frame"),
	LIMIT(audit_queue, 16, 1048576, "1024",
	      "audit records that may wait before the gateway stops accepting"),
	LIMIT(audit_mib, 1, 4096, "256",
	      "MiB of a bottle's audit log; a bottle that has filled it ends, since nothing more could be written down"),
};
static const struct schema limits_schema = SCHEMA("limits", limits_fields, .finish = finish_limits);
#undef OBJECT

#define OBJECT struct host_config
static const struct field config_fields[] = {
	ROW("backend", FIELD_TEXT, backend, .check = check_backend, .fallback = "smolmachines",
	    GIVEN(backend_given),
	    HELP("smolmachines or namespace; --backend and BOT_BOTTLE_BACKEND come first")),
	ROW("bundle", FIELD_TEXT, bundle, .check = check_bundle, .fallback = "embedded",
	    HELP("embedded or docker: where the sidecars run")),
	ROW("upstream_proxy", FIELD_TEXT, upstream_proxy, .check = check_proxy_url,
	    HELP("http://host:port that every gateway goes through. It then resolves names, so addresses can't be judged "
	         "and allow_private is refused")),
	ROW("extra_ca", FIELD_TEXTS, extra_ca, .flags = FIELD_UNION, .most = 64, .check = check_absolute,
	    HELP("PEM files of certificate authorities that gateways trust beside the system's")),
	ROW("resolver", FIELD_TEXTS, resolver, .most = 8, .check = check_resolver,
	    HELP("DNS servers, each an address with an optional port; by default those of the host")),
	ITEMS("hosts", FIELD_PAIRS, hosts, host_schema, .max = 64, .most = 1024,
	      HELP("names with fixed addresses, in place of /etc/hosts")),
	ROW("leases", FIELD_STRUCT, leases, .of = &leases_schema,
	    HELP("loopback addresses of the docker bundle")),
	ROW("limits", FIELD_STRUCT, limits, .of = &limits_schema,
	    HELP("bounds of a bottle, most of them its gateway's")),
	ROW("providers", FIELD_TEXTS, providers, .flags = FIELD_UNION, .most = 64, .check = check_absolute,
	    HELP("more directories of provider files, looked at before the shipped ones")),
};
const struct schema host_config_schema = SCHEMA("config.json", config_fields);
#undef OBJECT

void host_config_clear(struct host_config *config)
{
	schema_clear(&host_config_schema, config);
	*config = (struct host_config)HOST_CONFIG_INIT;
}

static int read_one(struct node_pool *pool, int dir, const char *dir_name, struct node **out, struct err *err)
{
	struct host_config alone = HOST_CONFIG_INIT;
	own_mem char *file = xasprintf("%s/config.json", dir_name);
	own_str struct str bytes = STR_INIT;
	const char *body;

	own_fd int fd = openat(dir, "config.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return fail_errno(err, "open %s", file);
	if (file_read_fd(fd, file, MANIFEST_FILE_MAX, &bytes, err) != 0 ||
	    node_parse_file(pool, file, NODE_JSON, str_c(&bytes), bytes.len, out, &body, err) != 0)
		return -1;
	int rc = schema_read(&host_config_schema, *out, false, &alone, err);
	host_config_clear(&alone);
	return rc;
}

int host_config_load(int etc, const char *etc_name, int user, const char *user_name, struct host_config *out,
                     struct err *err)
{
	own_node_pool struct node_pool pool = NODE_POOL_INIT;
	own_host_config struct host_config config = HOST_CONFIG_INIT;
	const struct {
		int dir;
		const char *name;
	} places[] = { { etc, etc_name }, { user, user_name } };
	struct node *all = node_new(&pool, NODE_MAP, "config.json", 1);

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct node *one = NULL;
		if (places[i].dir >= 0 && read_one(&pool, places[i].dir, places[i].name, &one, err) != 0)
			return -1;
		if (one)
			all = schema_merge(&pool, &host_config_schema, all, one);
	}
	if (schema_read(&host_config_schema, all, true, &config, err) != 0)
		return -1;
	*out = config;
	config = (struct host_config)HOST_CONFIG_INIT;
	return 0;
}
