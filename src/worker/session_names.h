// Whose session this is and where, by name, as the server's log says it.
#pragma once

#include <string>

#include "pg/server.h"

namespace ratchet::worker {

// Names the owner of the runs in this session, and its database. In a transaction. Throws PgError.
void LearnSessionNames(Oid role);

// As learned last, empty before.
const char* SessionRole();
const char* SessionDatabase();

// For a worker. From here on the lines of its log have them where those of a client have them: as
// %u and %d in log_line_prefix, with the job as %a, and in the columns of csvlog and jsonlog. The
// server takes all three from the connection to a client, which a worker does not have: it is given
// the description of one, from "[local]", that nobody is at the other end of.
void ShowSessionNames();

// The job in hand, as application_name and in the process's title. In a transaction, and for
// longer.
void ShowJobName(const std::string& job_name);

}  // namespace ratchet::worker
