// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as what a peer says: frame after frame, the first as its greeting; its errors end as one line of text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "checkpoint/offer.h"
#include "checkpoint/protocol.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_one_line(const struct err *e)
{
	for (const char *p = e->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cr_link l = {.peer = "the source"};
	struct err e = {0};
	int fd = place_socket(data, size), r;

	l.in = l.out = fd;
	if (size > 4 && data[4] == CR_FRAME_HELLO)
		r = cr_link_greet(&l, false, 0, 0, &e);
	else
		r = 0;
	while (r >= 0) {
		auto_json json_t *payload = NULL;
		static struct cr_offer offer;
		struct err why = {0};

		r = cr_link_receive(&l, &payload, 0, &e);
		if (r == CR_FRAME_OFFER && cr_offer_from_json(payload, &offer, &why) < 0)
			is_one_line(&why);
	}
	if (!e.no)
		abort();
	is_one_line(&e);
	close(fd);
	return 0;
}
