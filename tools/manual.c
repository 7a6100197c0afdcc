// SPDX-License-Identifier: GPL-2.0-only
/* Run by make: `manual skepctl <ctl/man/skepctl.8.in >skepctl.8`. */
#include <stdio.h>
#include <string.h>

#include "ctl/manual.h"
#include "ctl/oci.h"
#include "ctl/skepctl.h"

int main(int argc, char **argv)
{
	static const struct ctl_front *const fronts[] = {&ctl_skepctl, &ctl_oci};

	for (size_t i = 0; argc == 2 && i < sizeof(fronts) / sizeof(fronts[0]); i++)
		if (strcmp(argv[1], fronts[i]->name) == 0) {
			ctl_manual_write(fronts[i], stdin, stdout);
			return fflush(stdout) == 0 ? 0 : 1;
		}
	fprintf(stderr, "usage: manual skepctl|skep\n");
	return 1;
}
