// What an error says about the item at hand, about the batch, and about the run.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ratchet::policy {

enum class ErrorClass : std::uint8_t {
  kItem,     // this item's fault: it is isolated, its neighbours commit
  kRetry,    // nobody's fault: the batch is tried again, smaller, after a moment
  kSmaller,  // there is no room for so many: the batch is tried again, smaller from now on
  kEndRun,   // the server or an operator wants to stop: the run ends behind its last batch
  kFailRun,  // every item would fail in the same way: going on would only collect failed items
};

// Of an error that a batch job's action raised. sqlstate: five characters. format: that of the
// message, in the words of the server's source; it tells what the SQLSTATE does not.
//
// What nobody has defined is the item's fault, because it can only come from user code that says
// RAISE ... USING ERRCODE about the row before it.
ErrorClass ClassOf(std::string_view sqlstate, std::string_view format = {});

// What is decided: a class is two characters, an exception within a class five.
struct ErrorDecision {
  std::string_view code;
  ErrorClass error_class;
};
std::span<const ErrorDecision> ErrorDecisions();

}  // namespace ratchet::policy
