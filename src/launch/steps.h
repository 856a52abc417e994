#pragma once
/* The pairs behind the table of steps.c, by matter. Each up() may leave half of itself: its
 * down() is called all the same. */
#include "launch/launch.h"

int record_up(void *arg, struct err *err);
void record_down(void *arg);
/* Waits until the new record is on the disk. */
int record_settled(struct launch *l, struct err *err);
/* What the guest is made of, into the cache; step_image.c. */
bool image_wanted(void *arg);
int image_up(void *arg, struct err *err);
void image_down(void *arg);
/* The control group that the cage will make: named in the record before. */
bool group_wanted(void *arg);
int group_up(void *arg, struct err *err);
void group_down(void *arg);
int cage_up(void *arg, struct err *err);
void cage_down(void *arg);
/* step_docker.c: rows of the docker bundle alone. */
bool docker_wanted(void *arg);
int lease_up(void *arg, struct err *err);
void lease_down(void *arg);
int bridge_up(void *arg, struct err *err);
void bridge_down(void *arg);
/* The sidecar of this configuration in a container, and the relay that leads to it. */
int container_start(struct launch *l, const struct str *config, const struct sidecar_events *events,
                    struct err *err);
void container_stop(struct launch *l);
/* A record of the gateway's, which may be somebody else's by now: one JSON object without a name twice,
 * and of its own kind, so that it can't speak for the keeper. */
int gateway_record(const char *text, json **out, struct err *err);
int sidecars_up(void *arg, struct err *err);
void sidecars_down(void *arg);
int ca_up(void *arg, struct err *err);
int guest_up(void *arg, struct err *err);
/* Of a backend whose guest is a machine inside the cage. */
bool has_machine(void *arg);
/* Records that there will be a machine, if there will. */
int machine_announce(struct launch *l, struct err *err);
int machine_up(void *arg, struct err *err);
void machine_down(void *arg);
int boot_up(void *arg, struct err *err);
int prepare_up(void *arg, struct err *err);
int launch_prepare(struct launch *l, const struct guest_waiting *w, struct err *err);
int proof_up(void *arg, struct err *err);
int provision_up(void *arg, struct err *err);

/* Routed hosts that a transparent listener can serve: lines of the guest's hosts file. */
void guest_hosts(const struct plan *p, const char *address, struct str *out);
/* One random placeholder or name, as hex text. The caller frees. */
char *random_text(void);
/* look_again.c: while a guest shares its workspace, what hides or keeps a name can be lost: that
 * ends the bottle, or is said. And after it, what became of the workspace. */
int workspace_watch(struct launch *l, struct err *err);
void workspace_tell(struct launch *l);
