#include "egress/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/banned.h"

/* ---- the socket under TLS: first what was read before TLS began, then the descriptor ---- */

/* What came after a short read, or an end that did, has an edge of its own; an end that was
 * there before may share the edge that brought us here, so then the socket is asked again. */
static ssize_t receive(struct stream *s, char *out, size_t room)
{
	ssize_t n = recv(s->fd, out, room, 0);

	s->drained = n > 0 && (size_t)n < room && !s->ending;
	return n;
}

static int bio_read(BIO *bio, char *out, size_t room, size_t *got)
{
	struct stream *s = BIO_get_data(bio);
	size_t early = buffer_len(&s->raw);

	BIO_clear_retry_flags(bio);
	if (early) {
		*got = early < room ? early : room;
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): what has a length has bytes */
		memcpy(out, buffer_view(&s->raw).at, *got);
		buffer_take(&s->raw, *got);
		buffer_trim(&s->raw);
		return 1;
	}
	ssize_t n = s->drained ? 0 : receive(s, out, room);
	if (n > 0) {
		*got = (size_t)n;
		return 1;
	}
	if (s->drained || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		BIO_set_retry_read(bio);
	return 0;
}

/* After a write that failed: has the other side only stopped listening? What it said before that
 * still waits to be read, and may be the answer. */
static bool takes_no_more(struct stream *s)
{
	s->deaf = s->deaf || (s->hears_out && (errno == EPIPE || errno == ECONNRESET));
	return s->deaf;
}

static int bio_write(BIO *bio, const char *bytes, size_t n, size_t *put)
{
	struct stream *s = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	ssize_t sent = send(s->fd, bytes, n, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));
	if (sent >= 0) {
		*put = (size_t)sent;
		return 1;
	}
	if (takes_no_more(s)) {
		/* OpenSSL reads on only where it knows of no error. */
		*put = n;
		return 1;
	}
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(bio);
	return 0;
}

static long bio_ctrl(BIO *bio, int command, long number, void *arg)
{
	(void)bio;
	(void)number;
	(void)arg;
	return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static const BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *method;

	if (method)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
	if (!method || !BIO_meth_set_read_ex(method, bio_read) || !BIO_meth_set_write_ex(method, bio_write) ||
	    !BIO_meth_set_ctrl(method, bio_ctrl))
		bug("no BIO method");
	return method;
}

/* ---- life ---- */

static void on_events(void *arg, uint32_t events)
{
	struct stream *s = arg;

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->ending = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		s->readable = true;
		s->drained = false;
	}
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		s->writable = true;
	s->fn(s->arg);
}

int stream_open(struct stream *s, struct loop *loop, int fd, void (*fn)(void *arg), void *arg,
                struct err *err)
{
	int on = 1;

	*s = (struct stream){
		.loop = loop, .fd = fd, .watch = WATCH_INIT, .fn = fn, .arg = arg, .moved = loop->now
	};
	/* Whole messages are written at once, so there is nothing to gather. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (loop_watch(loop, &s->watch, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_events, s, err) ==
	    0)
		return 0;
	fd_drop(&s->fd);
	return -1;
}

void stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	loop_unwatch(s->loop, &s->watch);
	SSL_free(s->ssl);
	s->ssl = NULL;
	fd_drop(&s->fd);
	buffer_clear(&s->raw);
	buffer_clear(&s->in);
	buffer_clear(&s->out);
}

void stream_spoil_end(struct stream *s)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void stream_start_tls(struct stream *s, struct ssl_st *ssl)
{
	BIO *bio = BIO_new(bio_method());

	if (!bio)
		bug("out of memory");
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	s->ssl = ssl;
	s->raw = s->in;
	s->in = (struct buffer){ 0 };
	s->readable = true;
}

/* SSL_get_error() reads the queue too, so what stands in it must be of the call itself. Mostly
 * it is empty; clearing it empties sixteen places all the same. */
static void forget_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

/* What an OpenSSL call that did not succeed means for the stream. */
static void note_failure(struct stream *s, int result)
{
	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		s->readable = false;
		break;
	case SSL_ERROR_WANT_WRITE:
		s->writable = false;
		break;
	case SSL_ERROR_ZERO_RETURN:
		s->eof = true;
		s->readable = false;
		break;
	default:
		/* Also an end without close_notify: a cut body must not pass for a whole one. */
		s->broken = true;
	}
}

int stream_handshake(struct stream *s)
{
	if (s->broken)
		return -1;
	forget_errors();
	int result = SSL_do_handshake(s->ssl);
	if (result == 1) {
		s->moved = s->loop->now;
		s->readable = s->writable = true;
		return 1;
	}
	note_failure(s, result);
	return s->broken || s->eof ? -1 : 0;
}

static size_t read_some(struct stream *s, char *room, size_t n)
{
	if (!s->ssl) {
		ssize_t got = receive(s, room, n);
		if (got > 0)
			return (size_t)got;
		/* A reset that a write was told of looks like a clean end to who reads on. */
		if (got == 0 && !s->deaf)
			s->eof = true;
		else if (got == 0 || (errno != EAGAIN && errno != EINTR))
			s->broken = true;
		s->readable = false;
		return 0;
	}
	size_t got = 0;
	forget_errors();
	int result = SSL_read_ex(s->ssl, room, n, &got);
	if (result != 1)
		note_failure(s, result);
	return result == 1 ? got : 0;
}

bool stream_fill(struct stream *s, size_t most)
{
	bool any = false;

	while (s->readable && !s->eof && !s->broken && buffer_len(&s->in) < most) {
		/* A small message needs a small buffer; what fills it is likely a stream. */
		size_t piece = s->in.cap >= STREAM_PIECE || any ? STREAM_PIECE : 4096;
		size_t left = most - buffer_len(&s->in);
		if (piece > left)
			piece = left;
		size_t n = read_some(s, buffer_room(&s->in, piece), piece);
		if (n == 0)
			break;
		buffer_added(&s->in, n);
		s->received += n;
		any = true;
		if (s->drained && !(s->ssl && SSL_has_pending(s->ssl))) {
			s->readable = false;
			break;
		}
	}
	if (any)
		s->moved = s->loop->now;
	return any;
}

bool stream_is_quiet(struct stream *s)
{
	char byte;
	ssize_t n = s->eof || s->broken || buffer_len(&s->in) > 0 ? 0 : recv(s->fd, &byte, 1, MSG_PEEK);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	/* Of TLS it may be a ticket, which is nothing to the owner. */
	s->readable = true;
	s->drained = false;
	stream_fill(s, 1);
	return !s->eof && !s->broken && buffer_len(&s->in) == 0;
}

static size_t write_some(struct stream *s, struct slice view)
{
	if (!s->ssl) {
		ssize_t n = send(s->fd, view.at, view.n, MSG_NOSIGNAL);
		if (n >= 0)
			return (size_t)n;
		if (errno == EAGAIN || errno == EINTR)
			s->writable = false;
		else if (!takes_no_more(s))
			s->broken = true;
		return 0;
	}
	size_t put = 0;
	/* The kernel gathers the records of a large body into few large segments. */
	s->more = view.n > STREAM_PIECE;
	forget_errors();
	int result = SSL_write_ex(s->ssl, view.at, view.n, &put);
	if (result != 1)
		note_failure(s, result);
	return result == 1 ? put : 0;
}

bool stream_flush(struct stream *s)
{
	bool any = false;

	while (s->writable && !s->broken && !s->deaf && buffer_len(&s->out) > 0) {
		size_t n = write_some(s, buffer_view(&s->out));
		if (n == 0)
			break;
		buffer_take(&s->out, n);
		s->sent += n;
		any = true;
	}
	/* What nobody hears must not fill up: the owner goes on for the sake of the answer. */
	if (s->deaf)
		buffer_take(&s->out, buffer_len(&s->out));
	if (any)
		s->moved = s->loop->now;
	return any;
}

void stream_finish(struct stream *s)
{
	if (s->fd < 0 || s->broken)
		return;
	if (s->ssl) {
		forget_errors();
		SSL_shutdown(s->ssl);
	}
	shutdown(s->fd, SHUT_WR);
}
