// Where an error in a text of the user's is: a job's command, source or action.
#pragma once

#include "pg/server.h"

namespace ratchet::pg {

// While it exists, the position of a syntax error or the like is one in this text, not in the query
// that calls us, and the error's context names the text. Not for use inside pg::Call.
class TextContext {
 public:
  explicit TextContext(const char* text, const char* name = nullptr) : text_(text), name_(name) {
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
      errcontext("%s of a batch job", context->name_);
    }
  }

  const char* text_;
  const char* name_;
  ErrorContextCallback callback_;
};

}  // namespace ratchet::pg
