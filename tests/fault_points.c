// SPDX-License-Identifier: GPL-2.0-only
/* Prints every point at which SKEP_FAULT can strike, a line each: the tests walk what the program itself knows. */
#include <stdio.h>

#include "base/fault.h"

int main(void)
{
	for (const char *const *point = fault_list; *point; point++)
		puts(*point);
	return 0;
}
