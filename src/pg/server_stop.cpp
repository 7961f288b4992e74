#include "pg/server_stop.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "pg/server.h"

extern "C" {
#include "miscadmin.h"
#include "utils/pidfile.h"
}

#include <fcntl.h>
#include <unistd.h>

namespace ratchet::pg {
namespace {

std::string_view LineOf(std::string_view text, int number) {
  for (; number > 1; number--) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      return {};
    }
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

}  // namespace

bool ServerIsStopping() {
  // Absolute: an untrusted language may have left the data directory.
  static char path[MAXPGPATH] = "";
  if (path[0] == '\0') {
    snprintf(path, sizeof(path), "%s/postmaster.pid", DataDir);
  }
  const int saved = errno;
  char text[4096];
  ssize_t length = -1;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    length = read(file, text, sizeof(text));
    close(file);
  }
  errno = saved;
  return length > 0 && LineOf({text, static_cast<std::size_t>(length)}, LOCK_FILE_LINE_PM_STATUS) ==
                           PM_STATUS_STOPPING;
}

}  // namespace ratchet::pg
