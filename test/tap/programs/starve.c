/*
 * starve(): when the transaction or the savepoint in hand ends, there is no memory while the callbacks
 * of its end are called. starved() says how often that was so.
 */
#include "postgres.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "access/xact.h"
#include "fmgr.h"
#include "utils/resowner.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(starve);
PG_FUNCTION_INFO_V1(starved);

static bool wanted = false;
static int times = 0;
static void *eaten = NULL;
static struct rlimit before;

/* No more from the system, and none of what malloc() has got from it. */
static void Eat(void) {
  struct rlimit none;

  getrlimit(RLIMIT_AS, &before);
  none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_AS, &none);
  for (size_t size = 1 << 24; size >= 8; size -= size > 4096 ? size / 2 : 8) {
    void *room;

    while ((room = malloc(size)) != NULL) {
      *(void **)room = eaten;
      eaten = room;
    }
  }
  times++;
}

static void GiveBack(ResourceReleasePhase phase, bool is_commit, bool is_top, void *argument) {
  (void)phase, (void)is_commit, (void)is_top, (void)argument;
  if (before.rlim_max == 0)
    return;
  setrlimit(RLIMIT_AS, &before);
  before.rlim_max = 0;
  while (eaten != NULL) {
    void *next = *(void **)eaten;

    free(eaten);
    eaten = next;
  }
}

static void AtEnd(XactEvent event, void *argument) {
  (void)argument;
  if (wanted && (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)) {
    wanted = false;
    Eat();
  }
}

static void AtSavepointEnd(SubXactEvent event, SubTransactionId self, SubTransactionId parent,
                           void *argument) {
  (void)self, (void)parent, (void)argument;
  if (wanted && (event == SUBXACT_EVENT_COMMIT_SUB || event == SUBXACT_EVENT_ABORT_SUB)) {
    wanted = false;
    Eat();
  }
}

/* The callback that is registered last is called first. */
Datum starve(PG_FUNCTION_ARGS) {
  static bool registered = false;

  (void)fcinfo;
  if (!registered) {
    RegisterXactCallback(AtEnd, NULL);
    RegisterSubXactCallback(AtSavepointEnd, NULL);
    RegisterResourceReleaseCallback(GiveBack, NULL);
    registered = true;
  }
  wanted = true;
  PG_RETURN_VOID();
}

Datum starved(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_INT32(times);
}
