/*
 * A disk whose flush takes longer, for a server that is started with this in LD_PRELOAD: each fdatasync() or
 * fsync() of a file of WAL returns SLOW_FLUSH_MICROSECONDS after the disk was done with it. As on a slow disk,
 * the process that flushes sleeps meanwhile, and holds the lock that those who want to flush wait for.
 *
 * Other files, which a checkpoint flushes, and the folder of WAL are as fast as ever.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long delay;

__attribute__((constructor)) static void
read_delay(void)
{
	const char *text = getenv("SLOW_FLUSH_MICROSECONDS");

	delay = text != NULL ? atol(text) : 0;
}

static int
is_wal(int fd)
{
	char		link[32];
	char		path[PATH_MAX];
	ssize_t		length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return 0;
	path[length] = '\0';
	return strstr(path, "/pg_wal/") != NULL;
}

/* Until a time and not for a time: signals come meanwhile, and the server's handlers have to run. */
static void
sleep_delay(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += delay / 1000000;
	until.tv_nsec += delay % 1000000 * 1000;
	if (until.tv_nsec >= 1000000000)
	{
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static int
flush_slowly(int (*flush)(int), int fd)
{
	const int	result = flush(fd);
	const int	error = errno;

	if (delay > 0 && is_wal(fd))
		sleep_delay();
	errno = error;
	return result;
}

int
fdatasync(int fd)
{
	static int	(*real)(int);

	if (real == NULL)
		*(void **) &real = dlsym(RTLD_NEXT, "fdatasync");
	return flush_slowly(real, fd);
}

int
fsync(int fd)
{
	static int	(*real)(int);

	if (real == NULL)
		*(void **) &real = dlsym(RTLD_NEXT, "fsync");
	return flush_slowly(real, fd);
}
