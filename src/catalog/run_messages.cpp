#include "catalog/run_messages.h"

#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "catalog/run_error.h"
#include "pg/guard.h"
#include "pg/settings.h"

extern "C" {
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/json.h"
}

namespace ratchet::catalog {
namespace {

// Cut at the end of a character.
std::string Beginning(const char* text, std::size_t most, bool* cut) {
  if (text == nullptr) {
    return {};
  }
  const std::size_t size = strnlen(text, most + 1);
  if (size <= most) {
    return {text, size};
  }
  *cut = true;
  const int length = pg_mbcliplen(text, static_cast<int>(size), static_cast<int>(most));
  return {text, static_cast<std::size_t>(length)};
}

void AppendQuoted(std::string_view text, std::string* json) {
  constexpr char kDigits[] = "0123456789abcdef";
  json->push_back('"');
  for (const char c : Storable(text, text.size())) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json->push_back('\\');
      json->push_back(c);
    } else if (byte < 0x20) {
      *json += "\\u00";
      json->push_back(kDigits[byte >> 4]);
      json->push_back(kDigits[byte & 15]);
    } else {
      json->push_back(c);
    }
  }
  json->push_back('"');
}

void AppendText(const char* name, std::string_view text, std::string* json) {
  if (!text.empty()) {
    *json += ", \"";
    *json += name;
    *json += "\": ";
    AppendQuoted(text, json);
  }
}

// In UTC, so that it is the same whoever has said it.
std::string TimeText(TimestampTz at) {
  char text[MAXDATELEN + 1] = "";
  pg::Call([&text, at] {
    const int utc = 0;
    JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, &utc);
  });
  return text;
}

void Append(const policy::Message& message, std::string* json) {
  *json += json->empty() ? "[{\"level\": \"" : ", {\"level\": \"";
  *json += policy::Name(message.level);
  *json += "\", \"sqlstate\": \"";
  *json += unpack_sql_state(message.sqlstate);
  *json += "\", \"time\": \"" + TimeText(message.at) + "\", \"text\": ";
  AppendQuoted(message.text, json);
  AppendText("detail", message.detail, json);
  AppendText("hint", message.hint, json);
  *json += message.cut ? ", \"cut\": true" : "";
  if (message.batch > 0) {
    *json += ", \"batch\": " + std::to_string(message.batch);
  }
  if (!message.key.empty()) {
    *json += ", \"item\": " + message.key;
  }
  *json += message.rolled_back ? ", \"rolled_back\": true}" : "}";
}

void AppendGap(std::int64_t left_out, std::string* json) {
  *json += json->empty() ? "[" : ", ";
  *json += "{\"left_out\": " + std::to_string(left_out) + "}";
}

std::string Closed(std::string json) {
  if (!json.empty()) {
    json.push_back(']');
  }
  return json;
}

}  // namespace

// Never destroyed: the process may say something while it ends.
RunMessages& RunMessages::The() {
  static auto* messages = new RunMessages();
  return *messages;
}

policy::MessageLimits RunMessages::Limits() {
  return {pg::settings.keep_messages,
          static_cast<std::size_t>(pg::settings.max_message_memory) * 1024};
}

void RunMessages::Begin(int slot) {
  kept_.Clear();
  slot_ = slot;
  batch_ = 0;
  batch_begins_ = 0;
  in_hand_ = nullptr;
  pg::BeginListening(Hear);
}

void RunMessages::EndIfNotWanted() noexcept {
  if (pg::settings.keep_messages == 0) {
    pg::EndListening();
  }
}

void RunMessages::BeginBatch(std::int64_t batch) noexcept {
  batch_ = batch;
  batch_begins_ = kept_.said();
  in_hand_ = nullptr;
}

policy::Message RunMessages::MessageOf(const pg::HeardMessage& heard) const {
  const std::size_t most = policy::KeptMessages::LongestText(Limits());
  policy::Message message;
  message.level = heard.level;
  message.sqlstate = heard.sqlstate;
  message.at = GetCurrentTimestamp();
  message.text = Beginning(heard.text, most, &message.cut);
  message.detail = Beginning(heard.detail, most, &message.cut);
  message.hint = Beginning(heard.hint, most, &message.cut);
  message.batch = batch_;
  message.item = in_hand_ != nullptr ? *in_hand_ : -1;
  return message;
}

void RunMessages::Hear(const pg::HeardMessage& heard) noexcept {
  if (pg::settings.keep_messages == 0) {
    return;
  }
  RunMessages& run = The();
  try {
    policy::Message message = run.MessageOf(heard);
    board::ShowMessage(run.slot_, message);
    run.kept_.Add(std::move(message), Limits());
  } catch (const std::bad_alloc&) {
    run.kept_.LeaveOut();
  }
}

std::string RunMessages::Finish() noexcept {
  pg::EndListening();
  in_hand_ = nullptr;
  try {
    std::string json;
    kept_.Visit([&json](const policy::Message& message) { Append(message, &json); },
                [&json](std::int64_t left_out) { AppendGap(left_out, &json); });
    return Closed(std::move(json));
  } catch (const std::exception&) {
    return {};  // no memory: the record is worth more than they are
  }
}

std::string AsJson(const board::LiveMessages& live) noexcept {
  try {
    std::string json;
    if (live.before > 0) {
      AppendGap(live.before, &json);
    }
    for (const policy::Message& message : live.messages) {
      Append(message, &json);
    }
    return Closed(std::move(json));
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace ratchet::catalog
