// The option "settings" of a job.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace ratchet::worker {

// Names and values, in the order in which they are set.
using RunSettings = std::vector<std::pair<std::string, std::string>>;

// From the text of a jsonb object; empty text: none. Throws for anything but strings, numbers and
// booleans. In a transaction.
RunSettings ParseSettings(const std::string& json);

// Sets them for the session, with the rights of the current user, in the transaction that is open:
// they stay when it commits. Throws PgError, whose context names the setting.
void ApplySettings(const RunSettings& settings);

// Makes this session, which runs a batch job, the one that gives way: in a deadlock the one who
// looks first gives up, and who waits for a lock blocks others behind it. A batch can be done
// again, an application's transaction cannot. Such short waits are not for the server's log, if the
// job's own settings do not ask for them. In the transaction as above; lower values of the session
// stay.
void GiveWayToOthers(const RunSettings& own);

}  // namespace ratchet::worker
