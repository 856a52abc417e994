#pragma once
/* One event loop per daemon: epoll, timers, and signals through a signalfd. Watches and
 * timers are embedded in their owner, who must unwatch or cancel before it goes away; that
 * is safe at any moment, also for a watch whose event is already in the current batch. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include "base/err.h"

struct watch {
	int fd; /* -1: not watched; not owned */
	uint32_t events;
	void (*fn)(void *arg, uint32_t events);
	void *arg;
};
/* clang-format off */
#define WATCH_INIT { .fd = -1 }
/* clang-format on */

struct timer {
	uint64_t due; /* clock_ms() */
	size_t slot;  /* 1 + index in the heap; 0: not set */
	void (*fn)(void *arg);
	void *arg;
};

enum { LOOP_BATCH = 64 };

struct loop {
	int epfd;
	bool stop;
	uint64_t now; /* clock_ms() at the start of the batch */
	struct timer **heap;
	size_t ntimers, cap;
	struct epoll_event batch[LOOP_BATCH];
	int nbatch, at;
};
/* clang-format off */
#define LOOP_INIT { .epfd = -1 }
/* clang-format on */

int loop_init(struct loop *l, struct err *err);
void loop_clear(struct loop *l);
#define own_loop __attribute__((cleanup(loop_clear)))

/* EPOLLERR and EPOLLHUP are always reported. Level-triggered. */
int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events,
               void (*fn)(void *arg, uint32_t events), void *arg, struct err *err);
void loop_change(struct loop *l, struct watch *w, uint32_t events);
void loop_unwatch(struct loop *l, struct watch *w);

void timer_set(struct loop *l, struct timer *t, uint64_t ms, void (*fn)(void *arg), void *arg);
void timer_cancel(struct loop *l, struct timer *t);

/* One wait and its events: at most @ms (-1: until something happens). */
int loop_step(struct loop *l, int ms, struct err *err);
/* Until loop_stop(). */
int loop_run(struct loop *l, struct err *err);
void loop_stop(struct loop *l);

/* Blocks the signals of the 0-terminated list and returns a signalfd for them. */
int loop_signals(const int *signals, struct err *err);
