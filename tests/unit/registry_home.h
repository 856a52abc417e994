#pragma once
/* A directory of bottles of a test's own. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "registry/registry.h"

struct home {
	char path[64];
	int fd;
};

static int home_up(void **state)
{
	struct home *h = xcalloc(1, sizeof *h);
	snprintf(h->path, sizeof h->path, "/tmp/registry-XXXXXX");
	assert_non_null(mkdtemp(h->path));
	h->fd = open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = h;
	return 0;
}

static int home_down(void **state)
{
	struct home *h = *state;
	struct err err = ERR_INIT;
	assert_ok(dir_remove(AT_FDCWD, h->path, &err), &err);
	close(h->fd);
	free(h);
	return 0;
}

#define IN_HOME(f) cmocka_unit_test_setup_teardown(f, home_up, home_down)
