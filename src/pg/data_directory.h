// What the data directory says of itself when the server starts: see policy/data_directory.h.
#pragma once

#include "pg/server.h"
#include "policy/data_directory.h"

namespace ratchet::pg {

// By the postmaster, before recovery takes away the files by which copies are known. Finds out
// whether this is a copy, and remembers it in the file pg_ratchet.mark of the data directory. Does
// not raise errors: a mark that cannot be written is told to the log.
policy::DirectoryMark ExamineDataDirectory();

}  // namespace ratchet::pg
