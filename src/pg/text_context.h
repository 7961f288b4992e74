// Where an error in a text of the user's is: a job's command, source, action or only_if.
#pragma once

#include "pg/server.h"

namespace ratchet::pg {

// While it exists, the position of a syntax error or the like is one in this text, not in the query
// that calls us, and the error's context names the text. Not for use inside pg::Call.
class TextContext {
 public:
  explicit TextContext(const char* text, const char* name = nullptr,
                       const char* owner = "a batch job")
      : text_(text), name_(name), owner_(owner) {
    callback_ = {error_context_stack, Describe, this};
    error_context_stack = &callback_;
  }
  TextContext(const TextContext&) = delete;
  TextContext& operator=(const TextContext&) = delete;
  ~TextContext() { error_context_stack = callback_.previous; }

 private:
  static void Describe(void* argument) {
    const auto* context = static_cast<const TextContext*>(argument);
    const int position = geterrposition();
    if (position > 0) {
      errposition(0);
      internalerrposition(position);
      internalerrquery(context->text_);
    }
    if (context->name_ != nullptr) {
      errcontext("%s of %s", context->name_, context->owner_);
    }
  }

  const char* text_;
  const char* name_;
  const char* owner_;
  ErrorContextCallback callback_;
};

}  // namespace ratchet::pg
