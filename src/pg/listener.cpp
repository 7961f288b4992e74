#include "pg/listener.h"

#include "pg/guard.h"

// Of libpq.h only the table of functions is used, which does not depend on these; their headers are
// not needed for anything else here.
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL

extern "C" {
#include "libpq/libpq.h"
#include "libpq/pqcomm.h"
#include "mb/pg_wchar.h"
#include "tcop/dest.h"
#include "tcop/tcopprot.h"
}

namespace ratchet::pg {
namespace {

using Receiver = void (*)(const HeardMessage&) noexcept;

Receiver the_receiver = nullptr;  // null: nobody listens
// For a copy of the message. Its first block is there from the start: an error for which there is
// no memory must not be replaced by another one in its place.
MemoryContext copies = nullptr;
constexpr Size kCopySize = 8192;

bool is_mute = false;  // the client is ours
const PQcommMethods* former_methods = nullptr;
constexpr int kNoEncoding = -1;
int former_encoding = kNoEncoding;

// The text of a message is converted for the client before it is sent. That fails for characters
// that the encoding of the client does not have, and a job that has set one, for COPY say, has
// nobody who would read it.
void LendEncoding() {
  const int encoding = pg_get_client_encoding();
  if (is_mute && encoding != GetDatabaseEncoding()) {
    former_encoding = encoding;
    SetClientEncoding(GetDatabaseEncoding());
  }
}

void TakeEncodingBack() {
  if (former_encoding != kNoEncoding) {
    SetClientEncoding(former_encoding);
    former_encoding = kNoEncoding;
  }
}

void DoNothing() {}
int SendNothing() { return 0; }
bool IsNothingPending() { return false; }
int Drop(char /*type*/, const char* /*bytes*/, size_t /*size*/) {
  TakeEncodingBack();
  return 0;
}
void DropWithoutWaiting(char /*type*/, const char* /*bytes*/, size_t /*size*/) {}

const PQcommMethods kMute = {DoNothing,        SendNothing, SendNothing,
                             IsNothingPending, Drop,        DropWithoutWaiting};

policy::MessageLevel LevelOf(int level) {
  if (level < LOG) {
    return policy::MessageLevel::kDebug;
  }
  if (level < INFO) {
    return policy::MessageLevel::kLog;
  }
  return level == INFO     ? policy::MessageLevel::kInfo
         : level == NOTICE ? policy::MessageLevel::kNotice
                           : policy::MessageLevel::kWarning;
}

}  // namespace

void BeginListening(Receiver receiver) {
  if (copies == nullptr) {
    copies = Call([] {
      MemoryContext context = AllocSetContextCreate(TopMemoryContext, "ratchet message", kCopySize,
                                                    kCopySize, kCopySize);
      // The server has warnings that it gives in critical sections.
      MemoryContextAllowInCriticalSection(context, true);
      return context;
    });
  }
  the_receiver = receiver;
  if (whereToSendOutput == DestNone) {
    former_methods = PqCommMethods;
    PqCommMethods = &kMute;
    FrontendProtocol = PG_PROTOCOL_LATEST;
    whereToSendOutput = DestRemote;
    is_mute = true;
  }
}

void EndListening() noexcept {
  the_receiver = nullptr;
  if (is_mute) {
    TakeEncodingBack();
    whereToSendOutput = DestNone;
    PqCommMethods = former_methods;
    is_mute = false;
  }
}

void Hear() {
  if (the_receiver == nullptr) {
    return;
  }
  TakeEncodingBack();  // of a message that an error has kept from being sent
  MemoryContext old = MemoryContextSwitchTo(copies);
  const ErrorData* data = CopyErrorData();
  MemoryContextSwitchTo(old);
  // An ERROR is thrown and not told; who catches it may do without.
  if (data->output_to_client && data->elevel != ERROR) {
    LendEncoding();
    if (data->elevel < ERROR) {
      the_receiver(
          {LevelOf(data->elevel), data->sqlerrcode, data->message, data->detail, data->hint});
    }
  }
  MemoryContextReset(copies);
}

}  // namespace ratchet::pg
