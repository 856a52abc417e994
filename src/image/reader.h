#pragma once
/* The program that looks into an archive which nobody vouches for, bottle-image. It is started
 * with two descriptors and no secret, in a cage without a file, a network or a right: a bug in
 * the library that reads archives ends there. What it says is one line. */
#include <stdbool.h>
#include "base/err.h"
#include "base/proc.h"
#include "cage/cage.h"

enum { READER_IN = 3, READER_OUT = 4, READER_ANSWER_MAX = 600 };

/* The answer: the archive is as smolvm takes it; or what is in READER_OUT now is. */
#define READER_AS_IT_IS  "as it is"
#define READER_CONVERTED "converted"
#define READER_REFUSED   "refused: " /* and why */

/* Starts it. @program: its path; @in: the archive; @out: an empty file; @answer: where the line goes. */
int image_reader_start(const char *program, const struct cage_ids *ids, int in, int out, int answer,
                       struct proc *proc, struct err *err);
