#pragma once
/* Local to the room: the part of the judgement that needs to know where a repository begins. */

/* As workspace_executable(), of a path below the top of a git repository. */
const char *executable_in_repository(const char *rest);
