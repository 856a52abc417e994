#include "cmd/cmd.h"

#include "image/reader.h"
#include "base/banned.h"

/* Started by the keeper, never by hand: two descriptors are all that it has. */
static int run(struct command *c, struct err *err)
{
	(void)c;
	return image_reader_run(err);
}

const struct verb verb_image_reader = {
	.name = "image-reader",
	.args = "",
	.summary = "look into an image's archive; for the keeper",
	.group = GROUP_RUN,
	.flags = VERB_HIDDEN,
	.run = run,
};
