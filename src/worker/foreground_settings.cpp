#include "worker/foreground_settings.h"

#include <cstring>

#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
#include "utils/guc.h"
}

namespace ratchet::worker {

namespace {

// A setting of a library that is not loaded: anybody may set it. For use inside pg::Call.
bool IsPlaceholder(const char* name) {
  return (GetConfigOptionFlags(name, true) & GUC_CUSTOM_PLACEHOLDER) != 0;
}

}  // namespace

void LentSettings::Lend(const RunSettings& settings) {
  previous_.clear();
  previous_.reserve(settings.size());
  for (const auto& [name, value] : settings) {
    Previous& previous = previous_.emplace_back(Previous{name, {}, true, true, false});
    pg::Call([&] {
      const char* now = GetConfigOption(previous.name.c_str(), true, true);
      if (now != nullptr) {
        previous.value = now;
        previous.is_placeholder = IsPlaceholder(previous.name.c_str());
        previous.by_superuser = superuser();
        const char* initial = GetConfigOptionResetString(previous.name.c_str());
        previous.is_default = initial != nullptr && previous.value == initial;
      }
    });
  }
  ApplySettings(settings);
}

// The rights to do so were proven when they were lent, unless there was nothing to prove: the
// library that has been loaded since then has given the setting a value of its own, and may let
// nobody else set it. One that is loaded later asks with which rights its settings were set: those
// of the caller. No catalog is read here, as the transaction may be over.
void LentSettings::Restore(int error_level) const {
  for (auto previous = previous_.rbegin(); previous != previous_.rend(); ++previous) {
    if (previous->is_placeholder && !IsPlaceholder(previous->name.c_str())) {
      continue;
    }
    const bool as_caller = previous->is_placeholder && !previous->by_superuser;
    set_config_option(previous->name.c_str(),
                      previous->is_default ? nullptr : previous->value.c_str(),
                      as_caller ? PGC_USERSET : PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SET, true,
                      error_level, false);
  }
}

void LentSettings::PutBack() {
  pg::Call([this] { Restore(0); });
}

// The memory of the transaction goes away after the server has undone the transaction's settings,
// and before the session can do anything else.
void LentSettings::PutBackAfterAbort() noexcept {
  static MemoryContextCallback callback;
  callback.func = AtTransactionMemoryReset;
  callback.arg = this;
  MemoryContextRegisterResetCallback(TopTransactionContext, &callback);
}

void LentSettings::AtTransactionMemoryReset(void* self) {
  try {
    pg::Call([self] { static_cast<const LentSettings*>(self)->Restore(WARNING); });
  } catch (const std::exception&) {
    // Out of memory at most: the transaction's end cannot be turned into another error.
  }
}

}  // namespace ratchet::worker
