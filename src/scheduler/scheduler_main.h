// The process of a database's scheduler.
#pragma once

#include "pg/server.h"

extern "C" PGDLLEXPORT void ratchet_scheduler_main(Datum database);
