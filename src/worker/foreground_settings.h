// Settings of a job that are lent to a session which is not ours.
#pragma once

#include <string>
#include <vector>

#include "worker/run_settings.h"

namespace ratchet::worker {

// Set for the session and put back by hand: a setting that is local to a function would end with
// the first COMMIT of the job.
class LentSettings {
 public:
  // Throws PgError.
  void Lend(const RunSettings& settings);
  // In the transaction that the run leaves to its caller. Throws PgError.
  void PutBack();
  // When the transaction was aborted after an earlier one of the run had committed the settings:
  // puts them back as soon as no transaction is open. For use in the abort callback.
  void PutBackAfterAbort() noexcept;

 private:
  struct Previous {
    std::string name;
    std::string value;
    bool is_default;
    bool is_placeholder;  // no library had defined it
    bool by_superuser;    // lent in a session of one
  };
  static void AtTransactionMemoryReset(void* self);
  void Restore(int error_level) const;

  std::vector<Previous> previous_;
};

}  // namespace ratchet::worker
