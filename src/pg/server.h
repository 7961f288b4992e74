// The server's headers with C linkage, for every file that talks to the backend: included first.
#pragma once

extern "C" {
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
}

#if PG_VERSION_NUM < 150000
#error "pg_ratchet needs PostgreSQL 15 or later"
#endif
