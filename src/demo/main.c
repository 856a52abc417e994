/* bottle-demo-origin HOST: an HTTPS server on 127.0.0.1 that stands for "the internet"
 * in `bottle demo`. The token that it expects comes on stdin; its port and its authority's
 * certificate go to stdout, which is then closed; every request is answered with what it saw.
 * One connection at a time, one request each: it is a prop, and no part of any bottle. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/secret.h"
#include "base/str.h"
#include "demo/certificate.h"
#include "base/banned.h"

enum { HEAD_MAX = 16 * 1024, TOKEN_MAX = 4096, PATIENCE_SECONDS = 5, BACKLOG = 16 };

static int listen_somewhere(unsigned *port, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	own_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return fail_errno(err, "listen on 127.0.0.1");
	*port = ntohs(address.sin_port);
	return fd_steal(&fd);
}

static bool read_head(SSL *tls, struct str *head)
{
	while (!strstr(str_c(head), "\r\n\r\n")) {
		char bytes[2048];
		int n = SSL_read(tls, bytes, sizeof bytes);

		if (n <= 0 || head->len + (size_t)n > HEAD_MAX || memchr(bytes, 0, (size_t)n))
			return false;
		str_addn(head, bytes, (size_t)n);
	}
	return true;
}

/* "right", "wrong" or "none": the token itself is never sent back. */
static const char *judge_token(const struct str *head, const struct secret *token)
{
	static const char name[] = "\r\nauthorization: bearer ";
	const char *at = strcasestr(str_c(head), name);
	size_t n;

	if (!at)
		return "none";
	at += strlen(name);
	n = strcspn(at, "\r");
	return n == secret_len(token) && CRYPTO_memcmp(at, secret_expose(token), n) == 0 ? "right" : "wrong";
}

static void answer(SSL *tls, const struct secret *token)
{
	own_str struct str head = STR_INIT;
	own_str struct str body = STR_INIT;
	own_str struct str whole = STR_INIT;

	if (SSL_accept(tls) != 1 || !read_head(tls, &head))
		return;
	str_addf(&body, "{\"origin\":\"reached\",\"token\":\"%s\"}\n", judge_token(&head, token));
	str_addf(&whole,
	         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
	         "Connection: close\r\n\r\n%s",
	         body.len, str_c(&body));
	SSL_write(tls, str_c(&whole), (int)whole.len);
	SSL_shutdown(tls);
}

static void serve(int listener, SSL_CTX *context, const struct secret *token)
{
	for (;;) {
		const struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
		own_fd int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		SSL *tls;

		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
		tls = SSL_new(context);
		if (tls && SSL_set_fd(tls, fd) == 1)
			answer(tls, token);
		SSL_free(tls);
	}
}

static int run(const char *host, struct err *err)
{
	own_str struct str given = STR_INIT;
	own_str struct str authority = STR_INIT;
	own_secret struct secret token = SECRET_INIT;
	own_fd int listener = -1;
	SSL_CTX *context;
	unsigned port = 0;

	if (file_read_fd(STDIN_FILENO, "the token", TOKEN_MAX, &given, err) < 0)
		return -1;
	secret_set(&token, str_c(&given), given.len);
	context = certificate_context(host, &authority, err);
	if (!context)
		return -1;
	listener = listen_somewhere(&port, err);
	if (listener < 0)
		return -1;
	printf("%u\n%s", port, str_c(&authority));
	fclose(stdout);
	serve(listener, context, &token);
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;

	if (argc != 2) {
		fprintf(stderr, "usage: bottle-demo-origin HOST <TOKEN\n");
		return 2;
	}
	if (run(argv[1], &err) < 0) {
		fprintf(stderr, "bottle-demo-origin: %s\n", err.text);
		return 1;
	}
	return 0;
}
