#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/banned.h"

int loop_init(struct loop *l, struct err *err)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return fail_errno(err, "epoll_create1");
	*l = (struct loop){ .epfd = fd, .now = clock_ms() };
	return 0;
}

void loop_clear(struct loop *l)
{
	for (size_t i = 0; i < l->ntimers; i++)
		l->heap[i]->slot = 0;
	mem_drop(&l->heap);
	l->ntimers = l->cap = 0;
	fd_drop(&l->epfd);
}

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events,
               void (*fn)(void *arg, uint32_t events), void *arg, struct err *err)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return fail_errno(err, "watching descriptor %d", fd);
	*w = (struct watch){ .fd = fd, .events = events, .fn = fn, .arg = arg };
	return 0;
}

void loop_change(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->fd < 0 || w->events == events)
		return;
	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev) != 0)
		bug("epoll_ctl MOD on descriptor %d: errno %d", w->fd, errno);
	w->events = events;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	for (int i = l->at; i < l->nbatch; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

static void heap_put(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->slot = i + 1;
}

static void heap_up(struct loop *l, size_t i)
{
	struct timer *t = l->heap[i];

	while (i > 0 && l->heap[(i - 1) / 2]->due > t->due) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
	struct timer *t = l->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= l->ntimers)
			break;
		if (child + 1 < l->ntimers && l->heap[child + 1]->due < l->heap[child]->due)
			child++;
		if (l->heap[child]->due >= t->due)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

void timer_set(struct loop *l, struct timer *t, uint64_t ms, void (*fn)(void *arg), void *arg)
{
	timer_cancel(l, t);
	if (l->ntimers == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->heap = xrealloc(l->heap, l->cap, sizeof *l->heap);
	}
	t->due = clock_ms() + ms;
	t->fn = fn;
	t->arg = arg;
	heap_put(l, l->ntimers++, t);
	heap_up(l, t->slot - 1);
}

void timer_cancel(struct loop *l, struct timer *t)
{
	if (t->slot == 0)
		return;
	size_t i = t->slot - 1;
	struct timer *last = l->heap[--l->ntimers];
	t->slot = 0;
	if (last == t)
		return;
	heap_put(l, i, last);
	heap_up(l, i);
	heap_down(l, last->slot - 1);
}

static void fire_timers(struct loop *l)
{
	while (l->ntimers > 0 && l->heap[0]->due <= l->now) {
		struct timer *t = l->heap[0];
		timer_cancel(l, t);
		t->fn(t->arg);
	}
}

static int next_wait(const struct loop *l, int ms)
{
	if (l->ntimers == 0)
		return ms;
	uint64_t now = clock_ms();
	uint64_t left = l->heap[0]->due > now ? l->heap[0]->due - now : 0;
	if (left > 60000)
		left = 60000;
	return ms >= 0 && (uint64_t)ms < left ? ms : (int)left;
}

int loop_step(struct loop *l, int ms, struct err *err)
{
	l->nbatch = epoll_wait(l->epfd, l->batch, LOOP_BATCH, next_wait(l, ms));
	if (l->nbatch < 0 && errno != EINTR)
		return fail_errno(err, "epoll_wait");
	l->now = clock_ms();
	for (l->at = 0; l->at < l->nbatch;) {
		struct epoll_event *ev = &l->batch[l->at++];
		struct watch *w = ev->data.ptr;
		if (w)
			w->fn(w->arg, ev->events);
	}
	l->nbatch = 0;
	fire_timers(l);
	return 0;
}

int loop_run(struct loop *l, struct err *err)
{
	l->stop = false;
	while (!l->stop)
		if (loop_step(l, -1, err) != 0)
			return -1;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

int loop_signals(const int *signals, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (; *signals; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return fail_errno(err, "blocking signals");
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd >= 0 ? fd : fail_errno(err, "signalfd");
}
