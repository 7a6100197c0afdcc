// SPDX-License-Identifier: GPL-2.0-only
/* sethostname(2) and setdomainname(2). */
#include "ns/uts.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

bool ns_uts_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 64 || !isalnum((unsigned char)name[0]) ||
	    !isalnum((unsigned char)name[n - 1]))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-._", *p))
			return false;
	return true;
}

int ns_uts_set(const char *hostname, const char *domainname, struct err *e)
{
	if (hostname && !ns_uts_name_ok(hostname)) {
		err_set(e, EINVAL, "bad host name '%.80s'", hostname);
		return err_class(e, ERR_VALUE);
	}
	if (hostname && sethostname(hostname, strlen(hostname)) < 0)
		return err_sys(e, "set host name %s", hostname);
	if (domainname && strlen(domainname) > 64) {
		err_set(e, EINVAL, "domain name longer than 64 bytes");
		return err_class(e, ERR_VALUE);
	}
	if (domainname && setdomainname(domainname, strlen(domainname)) < 0)
		return err_sys(e, "set domain name %s", domainname);
	return 0;
}
