#include "pool/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "base/banned.h"

enum { DOCKER0 = 17 };

unsigned subnet_choice(const char *slug, unsigned attempt)
{
	unsigned char digest[SHA256_SIZE];

	sha256(slug, strlen(slug), digest);
	unsigned choice = digest[0] % SUBNETS + 1;
	if (choice == DOCKER0)
		choice++;
	for (; attempt > 0; attempt--) {
		choice = choice % SUBNETS + 1;
		if (choice == DOCKER0)
			choice++;
	}
	return choice;
}

void subnet_of(unsigned choice, struct subnet *out)
{
	unsigned x = choice & 255;

	snprintf(out->cidr, sizeof out->cidr, "192.168.%u.0/24", x);
	snprintf(out->gateway, sizeof out->gateway, "192.168.%u.1", x);
	snprintf(out->bundle, sizeof out->bundle, "192.168.%u.2", x);
}
