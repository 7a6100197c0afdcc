/* SPDX-License-Identifier: GPL-2.0-only */
/* Did you mean: the word of a list that a mistyped one is nearest to. */
#pragma once

/* Edit distance with transpositions (destory -> destroy is 1). Words over 64 characters count as far apart. */
int ctl_distance(const char *a, const char *b);

/* Keeps in *best the nearest of the candidates offered one after another; *distance starts at ctl_too_far(word). */
void ctl_nearest(const char *word, const char *candidate, const char **best, int *distance);

/* From where on a candidate is no help: a third of the word, at least 2 wrong letters; one of two or three. */
int ctl_too_far(const char *word);
