#pragma once
/* A proof's result for a person: one line, and one more for each check that came out otherwise. */
#include "base/json.h"
#include "base/str.h"

/* "confined, 22 checks, 5 ms"; of something that is no proof: "none". */
void proof_text(const json *proof, struct str *out);
/* The same as a list of lines. */
json *proof_lines(const json *proof);
