/*
 * Preloaded into the program ratchet: a resolver that knows two names. private.test is an address of this host,
 * which a check of the name cannot know; silent.test is one whose name server does not answer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int (*resolver)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	resolver resolve = (resolver) dlsym(RTLD_NEXT, "getaddrinfo");

	if (name != NULL && strcmp(name, "silent.test") == 0)
	{
		sleep(60);
		return EAI_AGAIN;
	}
	if (name != NULL && strcmp(name, "private.test") == 0)
		name = "127.0.0.1";
	return resolve(name, service, hints, found);
}
