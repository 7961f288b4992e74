// The border between C++ and the backend. Two functions cross it, and nothing else in the tree may:
//
//   Call(f)   down: runs C code that can ereport(ERROR); the error arrives as a PgError exception.
//   Entry(f)  up:   wraps the body of every function that the server calls; an exception leaves it
//   as
//                   an ereport(ERROR) with its SQLSTATE, detail, hint, context and location.
//
// Inside the lambda given to Call no object with a non-trivial destructor may be created: an error
// leaves it by longjmp. It may assign to objects that live outside of it. Outside of it no function
// that can raise an error may be called. Functions meant to be called inside of it only say so.
//
// Who catches a PgError must rethrow it, or abort the transaction or subtransaction in which it was
// raised (see pg/transaction.h): locks, buffers and snapshots of the failed work are still held.
#pragma once

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include <csetjmp>

#include "pg/server.h"

namespace ratchet::pg {

// An error of the server, with all its fields. Owns the copy of the ErrorData.
class PgError : public std::exception {
 public:
  explicit PgError(MemoryContext context, ErrorData* data) noexcept
      : context_(context), data_(data) {}
  PgError(PgError&& other) noexcept
      : context_(std::exchange(other.context_, nullptr)),
        data_(std::exchange(other.data_, nullptr)) {}
  PgError(const PgError&) = delete;
  PgError& operator=(const PgError&) = delete;
  PgError& operator=(PgError&&) = delete;
  ~PgError() override;

  const char* what() const noexcept override {
    return data_ != nullptr && data_->message != nullptr ? data_->message : "";
  }
  const ErrorData& data() const { return *data_; }
  int sqlstate() const { return data_->sqlerrcode; }

  // Gives the error back to the server's error machinery, which frees it.
  [[noreturn]] static void Rethrow(MemoryContext context, ErrorData* data);
  std::pair<MemoryContext, ErrorData*> Release() {
    return {std::exchange(context_, nullptr), std::exchange(data_, nullptr)};
  }

 private:
  MemoryContext context_;
  ErrorData* data_;
};

// An error of our own: what the user did wrong, and how to mend it.
class Error : public std::exception {
 public:
  Error(int sqlstate, std::string message, std::string hint = {}, std::string detail = {})
      : sqlstate_(sqlstate),
        message_(std::move(message)),
        hint_(std::move(hint)),
        detail_(std::move(detail)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  int sqlstate() const { return sqlstate_; }
  const std::string& hint() const { return hint_; }
  const std::string& detail() const { return detail_; }

 private:
  int sqlstate_;
  std::string message_;
  std::string hint_;
  std::string detail_;
};

// What the two functions below are made of.
namespace border {

using Body = void (*)(void*);
// Runs body(argument); throws PgError when it raises an error.
void Down(Body body, void* argument);
// Runs body(argument), a C++ function; raises an error when it throws.
void Up(Body body, void* argument);

}  // namespace border

template <typename F>
auto Call(F&& body) -> std::invoke_result_t<F&> {
  using Result = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<Result>) {
    border::Down([](void* f) { (*static_cast<std::remove_reference_t<F>*>(f))(); }, &body);
  } else {
    static_assert(std::is_trivially_destructible_v<Result>,
                  "a longjmp would skip the destructor of the result");
    struct Frame {
      std::remove_reference_t<F>* body;
      Result result;
    } frame{&body, Result{}};
    border::Down(
        [](void* argument) {
          auto* f = static_cast<Frame*>(argument);
          f->result = (*f->body)();
        },
        &frame);
    return frame.result;
  }
}

template <typename F>
auto Entry(F&& body) -> std::invoke_result_t<F&> {
  using Result = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<Result>) {
    border::Up([](void* f) { (*static_cast<std::remove_reference_t<F>*>(f))(); }, &body);
  } else {
    static_assert(std::is_trivially_destructible_v<Result>);
    struct Frame {
      std::remove_reference_t<F>* body;
      Result result;
    } frame{&body, Result{}};
    border::Up(
        [](void* argument) {
          auto* f = static_cast<Frame*>(argument);
          f->result = (*f->body)();
        },
        &frame);
    return frame.result;
  }
}

}  // namespace ratchet::pg
