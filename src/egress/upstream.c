#include "egress/upstream.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/banned.h"

static void progress(struct upstream *up);

static void fail_with(struct upstream *up, enum refusal why)
{
	timer_cancel(up->gateway->loop, &up->timer);
	lookup_cancel(&up->lookup);
	up->failure = why;
	up->state = UPSTREAM_FAILED;
	stream_close(&up->stream);
}

static void tell(struct upstream *up)
{
	if (up->fn)
		up->fn(up->arg);
}

static void on_stream(void *arg)
{
	struct upstream *up = arg;

	if (up->state < UPSTREAM_READY)
		progress(up);
	if (up->state >= UPSTREAM_READY)
		tell(up);
}

static bool dial_next(struct upstream *up);

/* One that swallows what it is sent doesn't take the others' time too. */
static void on_deadline(void *arg)
{
	struct upstream *up = arg;

	if (up->state == UPSTREAM_CONNECTING) {
		stream_close(&up->stream);
		if (dial_next(up))
			return;
	}
	fail_with(up, REFUSE_CONNECT_TIME);
	tell(up);
}

/* Of the time that is left, this part. */
static void set_timer(struct upstream *up, size_t parts)
{
	uint64_t now = clock_ms(), left = up->deadline > now ? up->deadline - now : 0;

	timer_set(up->gateway->loop, &up->timer, left / parts, on_deadline, up);
}

/* ---- where to ---- */

bool origin_addresses_fine(const struct addresses *found, bool allow_private)
{
	for (size_t i = 0; i < found->n; i++)
		if (!host_class_is_allowed(host_address_class(found->at[i].bytes, found->at[i].n),
		                           allow_private))
			return false;
	return found->n > 0;
}

static bool shows_public(const struct addresses *found)
{
	for (size_t i = 0; i < found->n; i++)
		if (host_address_class(found->at[i].bytes, found->at[i].n) == HOST_PUBLIC)
			return true;
	return false;
}

static bool behind_proxy(const struct upstream *up)
{
	return *up->gateway->config.proxy_host != '\0';
}

/* Dials the next address that was judged. False: there is none left. */
static bool dial_next(struct upstream *up)
{
	uint16_t port = htons(behind_proxy(up) ? (uint16_t)up->gateway->config.proxy_port : up->origin.port);

	while (up->next < up->addresses.n) {
		const struct address *a = &up->addresses.at[up->next++];
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };
		struct err err = ERR_INIT;
		if (a->n == 4)
			memcpy(&v4.sin_addr, a->bytes, 4);
		else
			memcpy(&v6.sin6_addr, a->bytes, 16);
		const void *to = a->n == 4 ? (const void *)&v4 : (const void *)&v6;
		own_fd int fd =
			socket(a->n == 4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			up->starved = up->starved || errno != EAFNOSUPPORT;
			continue;
		}
		if (connect(fd, to, a->n == 4 ? sizeof v4 : sizeof v6) != 0 && errno != EINPROGRESS)
			continue;
		if (stream_open(&up->stream, up->gateway->loop, fd_steal(&fd), on_stream, up, &err) != 0)
			continue;
		up->stream.hears_out = true;
		up->state = UPSTREAM_CONNECTING;
		set_timer(up, up->addresses.n - up->next + 1);
		return true;
	}
	return false;
}

static enum refusal say_unreached(const struct upstream *up)
{
	return up->starved ? REFUSE_SYSTEM : behind_proxy(up) ? REFUSE_PROXY : REFUSE_CONNECT;
}

/* May what this connection carries go to these addresses? False after a refusal. */
static bool judge_addresses(struct upstream *up, const struct addresses *found)
{
	if (!origin_addresses_fine(found, up->origin.allow_private)) {
		fail_with(up, REFUSE_ADDRESS);
		return false;
	}
	if (up->origin.private_only && shows_public(found)) {
		fail_with(up, REFUSE_CREDENTIAL_CLEAR);
		return false;
	}
	return true;
}

static void start_dialling(struct upstream *up, const struct addresses *found)
{
	up->addresses = *found;
	up->next = 0;
	if (!dial_next(up))
		fail_with(up, say_unreached(up));
}

static void on_resolved(void *arg, const struct addresses *found)
{
	struct upstream *up = arg;

	/* Behind a proxy these are the proxy's, which the operator named. */
	if (!found)
		fail_with(up, behind_proxy(up) ? REFUSE_PROXY : REFUSE_UNRESOLVED);
	else if (behind_proxy(up) || judge_addresses(up, found))
		start_dialling(up, found);
	if (up->state == UPSTREAM_FAILED)
		tell(up);
}

static struct addresses literal_of(const struct host *host)
{
	struct addresses literal = { .n = 1 };

	literal.at[0].n = host->kind == HOST_V4 ? 4 : 16;
	memcpy(literal.at[0].bytes, host->address, literal.at[0].n);
	return literal;
}

static void dial_host(struct upstream *up, const struct host *host)
{
	if (host->kind == HOST_NAME) {
		resolve_name(up->gateway->resolver, host->text, &up->lookup, on_resolved, up);
		return;
	}
	struct addresses literal = literal_of(host);
	start_dialling(up, &literal);
}

static void find_address(struct upstream *up)
{
	struct gateway *g = up->gateway;
	const struct host *host = &up->origin.host;
	struct host proxy;
	enum wire_fault fault;

	/* An address that the request itself names is judged, whoever dials it. */
	if (host->kind != HOST_NAME) {
		struct addresses literal = literal_of(host);
		if (!judge_addresses(up, &literal))
			return;
	}
	if (!behind_proxy(up)) {
		dial_host(up, host);
		return;
	}
	/* Where a name leads only the proxy knows, and the way to the proxy is in the clear too. */
	if (up->origin.private_only)
		fail_with(up, REFUSE_CREDENTIAL_CLEAR);
	else if (host_parse(slice_of(g->config.proxy_host), &proxy, &fault) != 0)
		fail_with(up, REFUSE_PROXY);
	else
		dial_host(up, &proxy);
}

/* ---- from connected to ready ---- */

static void become_ready(struct upstream *up)
{
	timer_cancel(up->gateway->loop, &up->timer);
	up->state = UPSTREAM_READY;
}

static void start_tls(struct upstream *up)
{
	struct err err = ERR_INIT;

	if (up->origin.plain) {
		become_ready(up);
		return;
	}
	struct ssl_st *ssl = tls_dial(&up->gateway->tls, &up->origin.host, up->key, &err);
	if (!ssl) {
		fail_with(up, REFUSE_SYSTEM);
		return;
	}
	stream_start_tls(&up->stream, ssl);
	up->state = UPSTREAM_HANDSHAKE;
	progress(up);
}

static void ask_proxy(struct upstream *up)
{
	const struct secret *login = &up->gateway->config.proxy_login;
	struct str text = STR_INIT;

	str_addf(&text, "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n", up->origin.host.text, up->origin.port,
	         up->origin.host.text, up->origin.port);
	if (secret_len(login)) {
		str_add(&text, "Proxy-Authorization: Basic ");
		base64_encode(&text, secret_expose(login), secret_len(login));
		str_add(&text, "\r\n");
	}
	str_add(&text, "\r\n");
	buffer_add(&up->stream.out, text.data, text.len);
	explicit_bzero(text.data, text.cap);
	str_clear(&text);
	up->state = UPSTREAM_PROXY;
	progress(up);
}

static void on_connected(struct upstream *up)
{
	int error = 0;
	socklen_t n = sizeof error;

	if (!up->stream.writable && !up->stream.readable)
		return;
	if (getsockopt(up->stream.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error) {
		stream_close(&up->stream);
		if (!dial_next(up))
			fail_with(up, say_unreached(up));
		return;
	}
	set_timer(up, 1);
	if (behind_proxy(up))
		ask_proxy(up);
	else
		start_tls(up);
}

static void on_proxy_answer(struct upstream *up)
{
	struct gateway *g = up->gateway;
	struct stream *s = &up->stream;
	enum wire_fault fault;

	stream_flush(s);
	stream_fill(s, g->limits.head);
	ssize_t n = http_head_end(buffer_view(&s->in), &up->seen, &g->limits, &fault);
	if (n == 0 && !s->eof && !s->broken)
		return;
	if (n <= 0 ||
	    http_response_parse(slice_cut(buffer_view(&s->in), 0, (size_t)n), slice_of("CONNECT"), &g->limits,
	                        &g->response, &fault) != 0 ||
	    g->response.status / 100 != 2) {
		fail_with(up, REFUSE_PROXY);
		return;
	}
	buffer_take(&s->in, (size_t)n);
	start_tls(up);
}

static void on_handshake(struct upstream *up)
{
	int result = stream_handshake(&up->stream);

	if (result > 0)
		become_ready(up);
	else if (result < 0)
		fail_with(up,
		          tls_refused_because(up->stream.ssl) ? REFUSE_CERTIFICATE : REFUSE_ORIGIN_HANDSHAKE);
}

static void progress(struct upstream *up)
{
	if (up->state == UPSTREAM_CONNECTING)
		on_connected(up);
	else if (up->state == UPSTREAM_PROXY)
		on_proxy_answer(up);
	else if (up->state == UPSTREAM_HANDSHAKE)
		on_handshake(up);
}

/* ---- life ---- */

struct upstream *upstream_acquire(struct gateway *g, const struct origin *origin, bool fresh,
                                  void (*fn)(void *arg), void *arg)
{
	struct upstream *up = fresh ? NULL : pool_take(g, origin);

	if (!up) {
		up = xcalloc(1, sizeof *up);
		*up = (struct upstream){ .gateway = g, .origin = *origin, .stream = STREAM_INIT };
		up->key = xasprintf("%s://%s:%u", origin->plain ? "http" : "https", origin->host.text,
		                    origin->port);
		up->deadline = clock_ms() + g->config.limits.connect_ms;
		set_timer(up, 1);
		find_address(up);
	}
	up->fn = fn;
	up->arg = arg;
	return up;
}

void upstream_drop(struct upstream **where)
{
	struct upstream *up = *where;

	if (!up)
		return;
	*where = NULL;
	if (up->state == UPSTREAM_IDLE)
		pool_remove(up);
	timer_cancel(up->gateway->loop, &up->timer);
	lookup_cancel(&up->lookup);
	stream_close(&up->stream);
	mem_drop(&up->key);
	free(up);
}

void upstream_release(struct upstream **where)
{
	struct upstream *up = *where;

	*where = NULL;
	pool_put(up->gateway, up);
}
