/* away(): what an untrusted language can do: it goes to another working directory. */
#include "postgres.h"

#include <unistd.h>

#include "fmgr.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(away);

Datum away(PG_FUNCTION_ARGS) {
  (void)fcinfo;
  PG_RETURN_INT32(chdir("/"));
}
