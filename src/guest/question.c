#include "guest/question.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/random.h"
#include "base/banned.h"

enum { LABEL_MAX = 63, FILE_MAX_BYTES = 64 * 1024 };

void question_server(char out[QUESTION_SERVER_MAX])
{
	own_str struct str text = STR_INIT;
	struct err ignored = ERR_INIT;
	char word[16], address[QUESTION_SERVER_MAX];

	snprintf(out, QUESTION_SERVER_MAX, "127.0.0.1");
	if (file_read(AT_FDCWD, "/etc/resolv.conf", FILE_MAX_BYTES, &text, &ignored) != 0)
		return;
	char *rest = text.data;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		if (sscanf(line, " %15s %63s", word, address) == 2 && str_is(word, "nameserver")) {
			snprintf(out, QUESTION_SERVER_MAX, "%s", address);
			return;
		}
	}
}

void question_encode(struct str *out, const char *name)
{
	static const unsigned char counts[] = { 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 }; /* recursion, one question */
	static const unsigned char tail[] = { 0, 0, 1, 0, 1 };                  /* root; A, IN */
	uint16_t id;

	random_bytes(&id, sizeof id);
	str_addn(out, &id, sizeof id);
	str_addn(out, counts, sizeof counts);
	while (*name) {
		size_t n = strcspn(name, ".");
		size_t kept = n < LABEL_MAX ? n : LABEL_MAX;
		if (kept > 0) {
			str_addc(out, (char)kept);
			str_addn(out, name, kept);
		}
		name += n + (name[n] == '.');
	}
	str_addn(out, tail, sizeof tail);
}
