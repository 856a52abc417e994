#pragma once
/* Messages between our own processes over SOCK_SEQPACKET sockets: one packet, one message,
 * with descriptors beside it. What is inside a packet is packed by `struct pack` and read by
 * `struct unpack`, which never reads past the end and never allocates from a number that
 * the other side sent. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

enum {
	MSG_MAX = 128 * 1024, /* bytes of one packet */
	MSG_FDS = 8,          /* descriptors beside it */
};

/* A connected pair, both ends close-on-exec. */
int msg_pair(int out[2], struct err *err);

/* Blocks on a blocking socket. ERR_BUSY: it would block. The descriptors stay the caller's. */
int msg_send(int fd, const struct str *bytes, const int *fds, size_t nfds, struct err *err);

struct msg {
	struct str bytes;
	int fds[MSG_FDS];
	size_t nfds;
};
/* clang-format off */
#define MSG_INIT { 0 }
/* clang-format on */
void msg_clear(struct msg *m); /* closes descriptors that were not taken */
#define own_msg __attribute__((cleanup(msg_clear)))
int msg_take_fd(struct msg *m, size_t i); /* -1 if there is none, or it was taken */

/* 1: a message (replacing what was in @m), 0: the other side is gone, -1: an error (ERR_BUSY:
 * nothing there on a non-blocking socket). A packet or descriptor list that was cut by the
 * kernel is an error: nothing is acted on that did not arrive whole. */
int msg_recv(int fd, struct msg *m, struct err *err);

/* Credentials of the process at the other end (SO_PEERCRED): its uid and pid. */
int msg_peer(int fd, unsigned *uid, int *pid, struct err *err);

/* Packing: little by little into a str. Integers are host order: both ends are one machine. */
void pack_u8(struct str *s, uint8_t v);
void pack_u32(struct str *s, uint32_t v);
void pack_u64(struct str *s, uint64_t v);
void pack_bytes(struct str *s, const void *bytes, size_t n); /* u32 length, bytes */
void pack_text(struct str *s, const char *text);             /* NULL is packed as "" */
struct strv;
void pack_strv(struct str *s, const struct strv *sv); /* u32 count, texts */

struct unpack {
	const unsigned char *p, *end;
	bool bad; /* sticky: a short read gives zeros from then on */
};
struct unpack unpack_of(const void *bytes, size_t n);
uint8_t unpack_u8(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
/* Points into the message; @n is 0 when bad. */
const void *unpack_bytes(struct unpack *u, size_t *n);
/* A text of at most @max bytes without NUL, copied; NULL (and bad) otherwise. The caller frees. */
char *unpack_text(struct unpack *u, size_t max);
/* At most @max_count texts of at most @max each, added to @out. */
void unpack_strv(struct unpack *u, size_t max_count, size_t max, struct strv *out);
/* All of it was read, and nothing was bad. */
bool unpack_ok(const struct unpack *u);
