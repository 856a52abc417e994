#pragma once
/* The cache of images: one directory, in which a file's name is the SHA-256 of its content. A
 * file appears whole or not at all, and is hashed again each time it is used. Whoever uses one
 * holds a shared lock on it; what has none may be evicted. Notes beside the files say what an
 * image became that had to be made into another form first. */
#include "image/image.h"

#define IMAGE_CACHE_NAME  "images" /* below the cache directory */
#define IMAGE_WORK_PREFIX "work-"  /* a launch's own scratch directory, by its slug */

struct image_cache {
	int dir;
	char *path; /* absolute */
	uint64_t most;
};
/* clang-format off */
#define IMAGE_CACHE_INIT { .dir = -1, .most = IMAGE_CACHE_MAX }
/* clang-format on */
void image_cache_clear(struct image_cache *c);
#define own_image_cache __attribute__((cleanup(image_cache_clear)))

/* @parent: the cache directory, whose path is @path. */
int image_cache_open(int parent, const char *path, struct image_cache *out, struct err *err);

/* Only to look: nothing is made. The directory's descriptor, -1: there is none. */
int image_cache_look(const char *path);

/* 1: there, verified, and held by @out; 0: not there. One whose content is not what its name
 * says is removed, and not there. */
int image_cache_find(const struct image_cache *c, enum image_kind kind, const char *hash,
                     const struct image_pace *pace, struct image *out, struct err *err);
/* Takes the file @dir/@name in under the hash of its content; makes room first. If that content
 * is there already, the file stays where it is. */
int image_cache_take(const struct image_cache *c, int dir, const char *name, enum image_kind kind,
                     const struct image_pace *pace, struct image *out, struct err *err);

/* What the source of this key (64 hex digits) became. 1: @hash; 0: nobody knows. */
int image_cache_recall(const struct image_cache *c, const char *key, char hash[SHA256_TEXT], struct err *err);
int image_cache_remember(const struct image_cache *c, const char *key, const char *hash, struct err *err);

struct image_usage {
	size_t images;
	uint64_t bytes;
	size_t held; /* of the images */
};
int image_cache_usage(const struct image_cache *c, struct image_usage *out, struct err *err);
/* Removes what nobody holds, and all notes. */
int image_cache_empty(const struct image_cache *c, struct image_usage *freed, struct err *err);

/* Whether it is the name of a scratch directory, and of no other thing. */
bool image_work_is_name(const char *name);
bool image_hash_is_valid(const char *text);
