/* Starts the real gateway the way a keeper does, from a description in JSON on the command
 * line, and prints what it says, one JSON object per line. Its records are not printed where the
 * description names a directory, "audit_log": there they are written as the keeper writes them.
 * Ends the gateway when its standard input ends; a line there is a new pair of resolv.conf and
 * hosts, as {"resolv_conf","hosts"}. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/json.h"
#include "keeper/audit.h"
#include "proto/egress.h"
#include "sidecar/sidecar.h"

/* More than any run writes: a full log ends the gateway. */
#define LOG_MOST ((uint64_t)64 << 30)

struct launcher {
	struct loop loop;
	struct sidecar gateway;
	struct watch input;
	struct str line;
	struct audit log; /* .fd -1: records are printed */
};

static void say(const char *key, const char *text, bool is_json)
{
	own_str struct str out = STR_INIT;

	str_addf(&out, "{\"%s\":", key);
	if (is_json)
		str_add(&out, text);
	else
		json_print_text(&out, text, strlen(text));
	str_add(&out, "}\n");
	fputs(out.data, stdout);
	fflush(stdout);
}

static void on_audit(void *arg, const char *record)
{
	struct launcher *l = arg;
	struct err err = ERR_INIT;

	/* As the keeper reads it: a record that is none ends the bottle. */
	own_json json *parsed = NULL;
	if (json_parse_unique(record, strlen(record), 8, &parsed, &err) != 0) {
		say("died", err.text, false);
		loop_stop(&l->loop);
	} else if (l->log.fd < 0) {
		say("audit", record, true);
	} else if (audit_append_text(&l->log, record, &err) != 0) {
		say("died", err.text, false);
		loop_stop(&l->loop);
	}
}

static void on_log(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	say("log", line, false);
}

static void on_died(void *arg, const char *name, const struct err *why)
{
	struct launcher *l = arg;

	(void)name;
	say("died", why->text, false);
	loop_stop(&l->loop);
}

static int on_own(void *arg, const struct str *bytes, struct err *err)
{
	own_mem char *pem = NULL;

	(void)arg;
	if (egress_ca_decode(bytes, &pem, err) != 0)
		return -1;
	say("ca", pem, false);
	return 0;
}

static void tell(struct launcher *l, const char *text, size_t n)
{
	own_json json *j = NULL;
	struct err err = ERR_INIT;
	own_str struct str conf = STR_INIT, hosts = STR_INIT;

	if (json_parse(text, n, 8, &j, &err) != 0)
		return;
	str_add(&conf, json_get_string(j, "resolv_conf", ""));
	str_add(&hosts, json_get_string(j, "hosts", ""));
	if (sidecar_tell_resolver(&l->gateway, &conf, &hosts, &err) != 0)
		say("log", err.text, false);
}

static void on_input(void *arg, uint32_t events)
{
	struct launcher *l = arg;
	char bytes[4096];
	ssize_t n = read(0, bytes, sizeof bytes);
	char *end;

	(void)events;
	if (n <= 0) {
		loop_stop(&l->loop);
		return;
	}
	str_addn(&l->line, bytes, (size_t)n);
	while ((end = memchr(l->line.data, '\n', l->line.len)) != NULL) {
		size_t len = (size_t)(end - l->line.data);
		tell(l, l->line.data, len);
		str_cut_front(&l->line, len + 1);
	}
}

static int listen_on(int port, struct err *err)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	own_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno(err, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&to, sizeof to) != 0 || listen(fd, 512) != 0)
		return fail_errno(err, "listening on port %d", port);
	return fd_steal(&fd);
}

static void set_text(const json *j, const char *key, char **field)
{
	mem_drop(field);
	*field = xstrdup(json_get_string(j, key, ""));
}

static void set_secret(const json *j, const char *key, struct secret *out)
{
	const char *text = json_get_string(j, key, "");

	secret_set(out, text, strlen(text));
}

static void set_limits(const json *j, struct egress_limits *l)
{
	static const struct {
		const char *key;
		size_t offset;
	} rows[] = {
/* clang-format off */
#define ROW(name) { #name, offsetof(struct egress_limits, name) }
		/* clang-format on */
		ROW(head_bytes), ROW(headers),       ROW(head_ms),     ROW(idle_ms),
		ROW(total_ms),   ROW(connect_ms),    ROW(connections), ROW(pool),
		ROW(pool_ms),    ROW(decoded_bytes), ROW(frame_bytes), ROW(audit_queue),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t *field = (uint32_t *)(void *)((char *)l + rows[i].offset);
		*field = (uint32_t)json_get_int(j, rows[i].key, *field);
	}
}

static void configure(const json *j, struct egress_config *c)
{
	const json *rows = json_get(j, "credentials"), *servers = json_get(j, "resolver");
	own_str struct str routes = STR_INIT;

	egress_config_init(c);
	set_text(j, "slug", &c->slug);
	set_text(j, "extra_ca", &c->extra_ca);
	set_text(j, "roots", &c->roots);
	set_text(j, "hosts", &c->hosts);
	set_text(j, "fixed_hosts", &c->fixed_hosts);
	set_text(j, "resolv_conf", &c->resolv_conf);
	set_text(j, "nonce", &c->nonce);
	set_text(j, "proxy_host", &c->proxy_host);
	c->proxy_port = (uint32_t)json_get_int(j, "proxy_port", 0);
	set_secret(j, "proxy_login", &c->proxy_login);
	c->log = (enum egress_log)json_get_int(j, "log", EGRESS_LOG_BLOCKS);
	set_limits(json_get(j, "limits"), &c->limits);
	json_print(json_get(j, "routes"), &routes);
	mem_drop(&c->routes);
	c->routes = str_steal(&routes);
	for (size_t i = 0; i < json_count(servers); i++)
		strv_add(&c->resolver, json_string(json_at(servers, i), ""));
	for (size_t i = 0; i < json_count(rows); i++) {
		const json *row = json_at(rows, i);
		struct egress_credential *out = egress_config_add_credential(c);
		set_text(row, "host", &out->host);
		set_text(row, "header", &out->header);
		set_text(row, "placeholder", &out->placeholder);
		set_secret(row, "value", &out->value);
		out->port = (uint32_t)json_get_int(row, "port", 443);
		out->scheme = (enum egress_scheme)json_get_int(row, "scheme", EGRESS_BEARER);
	}
}

static int open_log(struct launcher *l, const char *path, struct err *err)
{
	if (!*path)
		return 0;
	own_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "open %s", path);
	return audit_open(dir, NULL, LOG_MOST, &l->log, err);
}

static int start(struct launcher *l, const char *program, const char *text, struct err *err)
{
	static const struct sidecar_events events = { on_audit, on_log, on_died, on_own };
	own_egress_config struct egress_config config = EGRESS_CONFIG_INIT;
	own_str struct str bytes = STR_INIT;
	own_json json *j = NULL;
	struct sidecar_listener listeners[3];
	static const char *const names[] = { "proxy", "https", "http" };
	size_t n = 0;

	if (json_parse(text, strlen(text), 16, &j, err) != 0 || loop_init(&l->loop, err) != 0)
		return -1;
	if (open_log(l, json_get_string(j, "audit_log", ""), err) != 0)
		return -1;
	configure(j, &config);
	egress_config_encode(&config, &bytes);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int port = (int)json_get_int(json_get(j, "listen"), names[i], 0);
		if (!port)
			continue;
		int fd = listen_on(port, err);
		if (fd < 0)
			return -1;
		listeners[n++] = (struct sidecar_listener){ names[i], fd };
	}
	struct sidecar_spec spec = { .name = "egress",
		                     .program = program,
		                     .host_network = true,
		                     .listeners = listeners,
		                     .nlisteners = n,
		                     .config = &bytes,
		                     .events = &events,
		                     .arg = l };
	int rc = sidecar_start(&l->loop, &spec, &l->gateway, err);
	for (size_t i = 0; i < n; i++)
		close(listeners[i].fd);
	return rc;
}

int main(int argc, char **argv)
{
	struct launcher l = {
		.loop = LOOP_INIT, .gateway = SIDECAR_INIT, .input = WATCH_INIT, .log = AUDIT_INIT
	};
	own_str struct str text = STR_INIT;
	struct err err = ERR_INIT;
	bool told = false;

	if (argc != 3 || file_read(AT_FDCWD, argv[2], 16 << 20, &text, &err) != 0 ||
	    start(&l, argv[1], text.data, &err) != 0) {
		say("died", err.text, false);
		return 1;
	}
	if (loop_watch(&l.loop, &l.input, 0, EPOLLIN, on_input, &l, &err) != 0)
		return 1;
	while (!l.loop.stop && loop_step(&l.loop, -1, &err) == 0) {
		if (l.gateway.ready && !told) {
			own_mem char *pid = xasprintf("%d", (int)l.gateway.proc.pid);
			say("ready", pid, true);
			told = true;
		}
	}
	sidecar_stop(&l.gateway);
	audit_close(&l.log);
	str_clear(&l.line);
	say("end", "", false);
	return 0;
}
