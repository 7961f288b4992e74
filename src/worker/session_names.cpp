#include "worker/session_names.h"

#include "pg/guard.h"

// Of Port only the fields before these are used, whose places do not depend on them; the headers
// they need are not needed for anything else here.
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL

extern "C" {
#include "commands/dbcommands.h"
#include "libpq/libpq-be.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ps_status.h"
}

#include <sys/un.h>

namespace ratchet::worker {
namespace {

char role_name[NAMEDATALEN] = "";
char database_name[NAMEDATALEN] = "";

// The server's own may be longer than it is to us.
constexpr Size kPortSize = 2 * sizeof(Port);

// What the server asks about sockets it does not ask about local ones.
void BeLocal(SockAddr* address) {
  address->addr.ss_family = AF_UNIX;
  address->salen = sizeof(sockaddr_un);
}

}  // namespace

void LearnSessionNames(Oid role) {
  pg::Call([role] {
    const char* name = GetUserNameFromId(role, true);
    const char* database = get_database_name(MyDatabaseId);
    strlcpy(role_name, name != nullptr ? name : "", NAMEDATALEN);
    strlcpy(database_name, database != nullptr ? database : "", NAMEDATALEN);
  });
}

const char* SessionRole() { return role_name; }

const char* SessionDatabase() { return database_name; }

void ShowSessionNames() {
  pg::Call([] {
    auto* port = static_cast<Port*>(MemoryContextAllocZero(TopMemoryContext, kPortSize));
    port->sock = PGINVALID_SOCKET;
    BeLocal(&port->laddr);
    BeLocal(&port->raddr);
    port->user_name = role_name;
    port->database_name = database_name;
    MyProcPort = port;
  });
}

void ShowJobName(const std::string& job_name) {
  pg::Call([&job_name] {
    char name[NAMEDATALEN];
    snprintf(name, sizeof(name), "pg_ratchet: %s", job_name.c_str());
    name[pg_mbcliplen(name, static_cast<int>(strlen(name)), NAMEDATALEN - 1)] = '\0';
    set_config_option("application_name", name, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0,
                      false);
    set_ps_display(job_name.c_str());
  });
}

}  // namespace ratchet::worker
