#include "backend/backend.h"

#include "base/str.h"
#include "base/banned.h"

static const struct backend *const backends[] = { &backend_smolmachines, &backend_namespace };

int backend_find(const char *name, const struct backend **out, struct err *err)
{
	own_str struct str names = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		if (str_is(backends[i]->name, name)) {
			*out = backends[i];
			return 0;
		}
		str_addf(&names, "%s--backend %s", i ? ", " : "", backends[i]->name);
	}
	return fail(err, ERR_MISSING, "backend %s is not in this build; %s", name, str_c(&names));
}
