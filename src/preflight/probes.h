#pragma once
/* The checks behind the rows of preflight.c. Each adds to @found what it saw, and fails with
 * what is wrong and the remedy. */
#include "preflight/preflight.h"

int probe_smolvm(const struct preflight_host *host, struct str *found, struct err *err);
/* What `smolvm --version` said, and ended with. Blanks at its end are taken off. */
int check_smolvm_version(int status, struct str *said, struct err *err);
int probe_kvm_node(const struct preflight_host *host, struct str *found, struct err *err);
int probe_kvm_access(const struct preflight_host *host, struct str *found, struct err *err);
int probe_kvm_guest(const struct preflight_host *host, struct str *found, struct err *err);
int probe_docker(const struct preflight_host *host, struct str *found, struct err *err);
int probe_image(const struct preflight_host *host, struct str *found, struct err *err);
int probe_openat2(const struct preflight_host *host, struct str *found, struct err *err);
int probe_state(const struct preflight_host *host, struct str *found, struct err *err);
int probe_runtime(const struct preflight_host *host, struct str *found, struct err *err);
int probe_own_programs(const struct preflight_host *host, struct str *found, struct err *err);
int probe_programs(const struct preflight_host *host, struct str *found, struct err *err);
int probe_git(const struct preflight_host *host, struct str *found, struct err *err);
int probe_gitleaks(const struct preflight_host *host, struct str *found, struct err *err);
int probe_leases(const struct preflight_host *host, struct str *found, struct err *err);
int probe_disk(const struct preflight_host *host, struct str *found, struct err *err);
