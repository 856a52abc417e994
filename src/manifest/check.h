#pragma once
/* What single values must look like. Each is a field_check: it may rewrite the text into
 * its one canonical form. */
#include "base/err.h"

int check_name(char **text, struct err *err);       /* bottles, agents, skills, repos */
int check_variable(char **text, struct err *err);   /* of an environment */
int check_host(char **text, struct err *err);       /* a route's, "*." allowed; lower case, no trailing dot */
int check_exact_host(char **text, struct err *err); /* the same without wildcard */
int check_address(char **text, struct err *err);    /* IPv4 or IPv6 literal */
int check_resolver(char **text, struct err *err);   /* the same with an optional port */
int check_loopback(char **text, struct err *err);   /* in 127.0.0.0/8 */
int check_header_name(char **text, struct err *err); /* RFC 9110 token, not one the gateway rules */
int check_header_rule(char **text, struct err *err); /* the same, lower case */
int check_method(char **text, struct err *err);      /* upper case */
int check_directory(char **text, struct err *err);   /* absolute or "~/...", no ".." */
int check_image(char **text, struct err *err);       /* of any form of manifest/image.h */
int check_tool(char **text, struct err *err);        /* the same, and none that holds credentials */
int check_absolute(char **text, struct err *err);
int check_below_home(char **text, struct err *err); /* relative, no ".." */
int check_repo_url(char **text, struct err *err);
int check_proxy_url(char **text, struct err *err);
int check_ref(char **text, struct err *err);
int check_glob(char **text, struct err *err);
int check_not_empty(char **text, struct err *err);
int check_credential(char **text, struct err *err);  /* systemd's: a plain file name */
int check_placeholder(char **text, struct err *err); /* with {random} once */
int check_identity(char **text, struct err *err);    /* a git user's name or address */
int check_host_key(char **text, struct err *err);
