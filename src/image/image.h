#pragma once
/* What a machine's guest is made of, on disk: a snapshot in a cache where each file is named by
 * the SHA-256 of its content, or a directory that stays where it is. Nothing here unpacks an
 * image: smolvm does, inside the guest or the cage. Long work asks its @pace between pieces
 * whether to go on, so that who waits can be interrupted. */
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/own.h"
#include "base/sha256.h"

#define IMAGE_MAX       (8ULL << 30)  /* of one image; smolvm's own limit for an archive */
#define IMAGE_CACHE_MAX (32ULL << 30) /* of all that are kept */

struct image_pace {
	int (*go_on)(void *arg, struct err *err); /* NULL: nobody is waiting */
	void *arg;
};

enum image_kind {
	IMAGE_DIRECTORY, /* a rootfs, used in place */
	IMAGE_ARCHIVE,   /* as docker save writes it */
	IMAGE_PACKED,    /* a .smolmachine */
};

struct image {
	enum image_kind kind;
	char *path; /* on the host, absolute */
	char hash[SHA256_TEXT];
	uint64_t size;
	int fd; /* holds the cache's file against eviction; -1: none */
	/* What a .smolmachine brings, and so the machine's row must say. */
	char *name; /* NULL: it is none */
	char *workdir;
	struct strv env;
};
/* clang-format off */
#define IMAGE_INIT { .fd = -1 }
/* clang-format on */
void image_clear(struct image *i);
#define own_image __attribute__((cleanup(image_clear)))

/* ---- bytes ---- */

/* From offset 0 to its end. ERR_INPUT: over @most. */
int image_hash_file(int fd, uint64_t most, const struct image_pace *pace, char hash[SHA256_TEXT],
                    uint64_t *size, struct err *err);
/* The same, and each byte is written to @to: the hash is that of what was written. */
int image_copy_file(int from, int to, uint64_t most, const struct image_pace *pace, char hash[SHA256_TEXT],
                    uint64_t *size, struct err *err);
/* Of a directory's whole tree: names, types, modes, links, contents; no owners, no times. A file
 * that we may not read counts as such. */
int image_hash_tree(int dir, uint64_t most, const struct image_pace *pace, char hash[SHA256_TEXT],
                    uint64_t *size, struct err *err);

/* ---- a .smolmachine ---- */

enum { PACKED_FOOTER = 64, PACKED_MANIFEST_MAX = 1 << 20 };

/* Where its manifest stands. ERR_INPUT: no .smolmachine of a version that we know. */
int packed_footer_read(const void *bytes, size_t n, uint64_t file_size, uint64_t *offset, uint64_t *size,
                       struct err *err);
/* Fills name, workdir and env. Refuses what would give the guest more than an image may, and what
 * packs a machine's disks instead of one. */
int packed_manifest_read(const void *bytes, size_t n, struct image *out, struct err *err);
/* Both, from a file. */
int image_read_packed(int fd, struct image *out, struct err *err);

/* ---- an OCI layout ---- */

/* Whether the directory is one, by its two files. */
bool image_is_layout(int dir);
/* Its index, marker and blobs as a tar. */
int image_write_layout(int dir, int to, const struct image_pace *pace, struct err *err);
