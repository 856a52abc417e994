#pragma once
/* What a connection may ask for, and the answers. */
#include "keeper/bottle.h"

/* ERR_DENIED for what its state does not allow; the connection ends then. */
int request_obey(struct connection *c, struct keeper_message *m, struct err *err);

void connection_say(struct connection *c, const struct keeper_message *m, const int *fds, size_t nfds);
