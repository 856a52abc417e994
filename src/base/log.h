#pragma once
/* What a room has to say while it works: a short sentence, then key=value pairs. A room
 * never prints; the program decides where lines go by setting the sink. Without a sink
 * lines are dropped. */
enum log_level {
	LOG_ERROR, /* you must act */
	LOG_WARN,  /* we carried on, differently */
	LOG_INFO,  /* state changed */
};

/* @line has no newline and no control bytes. */
typedef void (*log_sink)(void *arg, enum log_level level, const char *line);

void log_set_sink(log_sink sink, void *arg, enum log_level most);
const char *log_level_name(enum log_level level);

void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
