#pragma once
/* A service manager that waits for us (sd_notify(3)): one datagram to $NOTIFY_SOCKET. It is
 * sent by the process that the manager started, which is this one, and not by the keeper. */

/* "READY=1", "STOPPING=1". Nothing where nobody waits. */
void notify_manager(const char *state);
