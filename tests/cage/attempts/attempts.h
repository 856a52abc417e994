#pragma once
/* What the program of inside_attempts.c tries, in tables by matter. It is linked with no room of ours. */

struct attempt {
	const char *name; /* NULL: the end of the table */
	long (*try)(void);
};

extern const struct attempt attempts_network[], attempts_files[];
long dial_unix(const char *name); /* "@NAME": an abstract one */
long dial_tcp(const char *port);
