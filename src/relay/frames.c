#include "relay/relay.h"

#include <fcntl.h>
#include <string.h>

#include "base/msg.h"
#include "base/banned.h"

enum { READ_PIECE = 64 * 1024, WAITING_MOST = MSG_MAX };

static int flush(struct relay *r, struct err *err)
{
	while (r->out.len > 0) {
		ssize_t n = write(r->to, r->out.data, r->out.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return fail_errno(err, "writing to the other side of the container");
		/* The first frame holds secrets: nothing that was sent stays behind. */
		memmove(r->out.data, r->out.data + n, r->out.len - (size_t)n);
		r->out.len -= (size_t)n;
		explicit_bzero(r->out.data + r->out.len, (size_t)n);
	}
	return 0;
}

static void on_writable(void *arg, uint32_t events)
{
	struct relay *r = arg;
	struct err err = ERR_INIT;

	(void)events;
	if (flush(r, &err) != 0 || r->out.len == 0)
		loop_unwatch(&r->loop, &r->on_to);
	/* Where writing has failed, the next message is what finds out. */
	if (r->out.len <= WAITING_MOST || r->on_to.fd < 0)
		loop_change(&r->loop, &r->on_control, EPOLLIN);
}

int frames_watch(struct relay *r, void (*on_from)(void *arg, uint32_t events), struct err *err)
{
	const int ends[] = { r->from, r->to };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		int flags = fcntl(ends[i], F_GETFL);
		if (flags < 0 || fcntl(ends[i], F_SETFL, flags | O_NONBLOCK) != 0)
			return fail_errno(err, "the container's streams");
	}
	return loop_watch(&r->loop, &r->on_from, r->from, EPOLLIN, on_from, r, err);
}

int frames_read(struct relay *r, struct err *err)
{
	str_reserve(&r->in, READ_PIECE);
	ssize_t n = read(r->from, r->in.data + r->in.len, READ_PIECE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n < 0)
		return fail_errno(err, "reading from the other side of the container");
	r->in.len += (size_t)n;
	return n > 0;
}

int frames_send(struct relay *r, enum bundle_frame kind, const struct str *bytes, struct err *err)
{
	bundle_frame_add(&r->out, kind, str_c(bytes), bytes->len);
	if (flush(r, err) != 0)
		return -1;
	/* Watched only while something waits: a hang-up is told where it is read from. */
	if (r->out.len == 0 || r->on_to.fd >= 0)
		return 0;
	return loop_watch(&r->loop, &r->on_to, r->to, EPOLLOUT, on_writable, r, err);
}

int frames_deliver(struct relay *r, struct err *err)
{
	enum bundle_frame kind;
	struct str body;
	int got;

	while ((got = bundle_frame_look(&r->in, MSG_MAX, &kind, &body, err)) == 1) {
		if (kind != FRAME_MESSAGE)
			return fail(err, ERR_INPUT, "a second configuration");
		int rc = msg_send(r->control, &body, NULL, 0, err);
		str_cut_front(&r->in, bundle_frame_size(&body));
		if (rc != 0)
			return -1;
	}
	return got;
}

void frames_finish(struct relay *r)
{
	struct err ignored = ERR_INIT;
	int flags = r->to < 0 ? -1 : fcntl(r->to, F_GETFL);

	if (flags >= 0 && fcntl(r->to, F_SETFL, flags & ~O_NONBLOCK) == 0)
		flush(r, &ignored);
}

int frames_forward(struct relay *r, struct err *err)
{
	own_msg struct msg m = MSG_INIT;
	int got = msg_recv(r->control, &m, err);

	if (got <= 0)
		return got;
	if (m.nfds > 0)
		return fail(err, ERR_INPUT, "a message with a descriptor can't pass");
	if (frames_send(r, FRAME_MESSAGE, &m.bytes, err) != 0)
		return -1;
	/* Who sends is to wait, as for a reader that is slow: what the gateway may let out before it is
	 * recorded is bounded there. */
	if (r->out.len > WAITING_MOST)
		loop_change(&r->loop, &r->on_control, 0);
	return 1;
}
