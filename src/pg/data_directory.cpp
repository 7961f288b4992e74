#include "pg/data_directory.h"

#include <cerrno>
#include <fstream>
#include <sstream>

#include "pg/clock.h"

extern "C" {
#include "access/xlog.h"
#include "common/file_perm.h"
#include "storage/fd.h"
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ratchet::pg {
namespace {

// Below the data directory, in which the server is.
constexpr char kFile[] = "pg_ratchet.mark";
constexpr char kStandbySignal[] = "standby.signal";
constexpr char kRecoverySignal[] = "recovery.signal";
constexpr char kBackupLabel[] = "backup_label";

bool Exists(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0;
}

std::string ContentsOf(const std::string& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) {
    text << file.rdbuf();
  }
  return text.str();
}

// Of this file; 0: there is none.
std::uint64_t NumberOf(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_ino) : 0;
}

std::string Machine() {
  std::string id = ContentsOf("/etc/machine-id");
  if (id.find('\n') != std::string::npos) {
    id.resize(id.find('\n'));
  }
  if (id.empty()) {
    char host[256] = "";
    id = gethostname(host, sizeof(host) - 1) == 0 ? host : "localhost";
  }
  return id;
}

// In place: the file must stay the one that it is.
bool Write(const std::string& text) {
  const int file = open(kFile, O_RDWR | O_CREAT | O_CLOEXEC, pg_file_create_mode);
  if (file < 0) {
    return false;
  }
  const bool written =
      pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
      ftruncate(file, static_cast<off_t>(text.size())) == 0 && pg_fsync(file) == 0;
  const int error = errno;
  close(file);
  errno = error;
  return written;
}

void TellFailure() {
  const int error = errno;
  ereport(LOG, (errcode_for_file_access(),
                errmsg("could not write file \"%s\": %s", kFile, strerror(error))));
}

std::int64_t NewId() {
  std::uint64_t id = 0;
  if (!pg_strong_random(&id, sizeof(id))) {
    id = static_cast<std::uint64_t>(Now().wall);
  }
  return static_cast<std::int64_t>((id >> 1) | 1U);  // neither negative nor 0
}

}  // namespace

policy::DirectoryMark ExamineDataDirectory() {
  // It must be there before it can be told by its number.
  const policy::DirectoryMark before = policy::DirectoryMark::Decode(ContentsOf(kFile));
  if (NumberOf(kFile) == 0 && !Write({})) {
    TellFailure();
    return {};
  }
  policy::DirectoryFacts facts;
  facts.recovery_signal = Exists(kRecoverySignal);
  facts.standby_signal = Exists(kStandbySignal);
  facts.backup_label = Exists(kBackupLabel);
  facts.here.path = DataDir;
  facts.here.machine = Machine();
  facts.here.file = NumberOf(kFile);
  const std::uint64_t there = NumberOf(before.path + '/' + kFile);
  facts.original_is_there = there != 0 && there == before.file && there != facts.here.file;
  facts.new_id = NewId();
  policy::DirectoryMark now = policy::Examine(before, facts);
  if (now != before && !Write(now.Encode())) {
    TellFailure();
  }
  return now;
}

}  // namespace ratchet::pg
