// SPDX-License-Identifier: GPL-2.0-only
/* Did you mean: edit distance between words. */
#include "ctl/nearest.h"

#include <limits.h>
#include <string.h>

#define MOST 64

static int least(int a, int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of the usual matrix, one more than Levenshtein needs, for swapped letters. */
int ctl_distance(const char *a, const char *b)
{
	int rows[3][MOST + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > MOST || lb > MOST)
		return INT_MAX;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (int)j;
	for (size_t i = 1; i <= la; i++) {
		int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

		row[0] = (int)i;
		for (size_t j = 1; j <= lb; j++) {
			int cost = a[i - 1] != b[j - 1];

			row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[la % 3][lb];
}

int ctl_too_far(const char *word)
{
	int length = (int)strlen(word), third = length / 3 + 1;

	if (length < 4)
		return length < 2 ? 1 : 2;
	return third < 3 ? 3 : third;
}

void ctl_nearest(const char *word, const char *candidate, const char **best, int *distance)
{
	int d = ctl_distance(word, candidate);

	if (d < *distance) {
		*distance = d;
		*best = candidate;
	}
}
