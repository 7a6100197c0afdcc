// SPDX-License-Identifier: GPL-2.0-only
/* Run by make: `manual skepctl <ctl/man/skepctl.8.in >skepctl.8`. */
#include <stdio.h>
#include <string.h>

#include "ctl/manual.h"
#include "ctl/skepctl.h"

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], ctl_skepctl.name) == 0) {
		ctl_manual_write(&ctl_skepctl, stdin, stdout);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	fprintf(stderr, "usage: manual skepctl\n");
	return 1;
}
