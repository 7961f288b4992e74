/*
 * A clock for a server under test, by LD_PRELOAD: all its processes at once are so many seconds ahead as
 * the file says that CHAOS_CLOCK names, a number of 8 bytes that may change at any time.
 *
 * Why not libfaketime: it takes the time inside of select() for its own business, and a postmaster before
 * PostgreSQL 16 starts background workers from a signal handler, in the middle of select(). Those would
 * keep the clock of the machine.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t none;
static const volatile int64_t *ahead = &none;

__attribute__((constructor)) static void
open_clock(void)
{
	const char *path = getenv("CHAOS_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		ahead = map;
	close(fd);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);
	int result;

	if (real == NULL)
		*(void **) &real = dlsym(RTLD_NEXT, "clock_gettime");
	result = real(clock, now);
	if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *ahead;
	return result;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec precise;

	(void) zone;
	clock_gettime(CLOCK_REALTIME, &precise);
	now->tv_sec = precise.tv_sec;
	now->tv_usec = precise.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *to)
{
	struct timespec precise;

	clock_gettime(CLOCK_REALTIME, &precise);
	if (to != NULL)
		*to = precise.tv_sec;
	return precise.tv_sec;
}
