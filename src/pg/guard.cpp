#include "pg/guard.h"

#include <new>

namespace ratchet::pg {

PgError::~PgError() {
  if (context_ != nullptr) {
    MemoryContextDelete(context_);
  }
}

void PgError::Rethrow(MemoryContext context, ErrorData* data) {
  // FlushErrorState() resets ErrorContext and with it the copy.
  MemoryContextSetParent(context, ErrorContext);
  ReThrowError(data);
  pg_unreachable();
}

namespace border {
namespace {

struct Saved {
  sigjmp_buf* exception_stack = PG_exception_stack;
  ErrorContextCallback* context_stack = error_context_stack;
  MemoryContext memory = CurrentMemoryContext;

  void Restore() const {
    PG_exception_stack = exception_stack;
    error_context_stack = context_stack;
    MemoryContextSwitchTo(memory);
  }
};

struct Caught {
  MemoryContext context = nullptr;
  ErrorData* data = nullptr;
};

// Not inlined, and no C++ object in the frame: what setjmp returns to is this function alone.
[[gnu::noinline]] bool Protected(Body body, void* argument, const Saved* saved, Caught* caught) {
  sigjmp_buf local;
  if (sigsetjmp(local, 0) == 0) {
    PG_exception_stack = &local;
    body(argument);
    PG_exception_stack = saved->exception_stack;
    error_context_stack = saved->context_stack;
    return true;
  }
  saved->Restore();
  caught->context = AllocSetContextCreate(TopMemoryContext, "ratchet error", ALLOCSET_SMALL_SIZES);
  MemoryContext old = MemoryContextSwitchTo(caught->context);
  caught->data = CopyErrorData();
  FlushErrorState();
  MemoryContextSwitchTo(old);
  return false;
}

// A plain copy of one of our errors in backend memory, made while the exception is still alive.
struct Raised {
  int sqlstate;
  char* message;
  char* hint;
  char* detail;
};

char* Copy(const char* text) { return static_cast<char*>(MemoryContextStrdup(ErrorContext, text)); }

}  // namespace

void Down(Body body, void* argument) {
  const Saved saved;
  Caught caught;
  bool succeeded = false;
  try {
    succeeded = Protected(body, argument, &saved, &caught);
  } catch (...) {
    // bad_alloc of an assignment, say: the backend must not be left with a dangling handler.
    saved.Restore();
    throw;
  }
  if (!succeeded) {
    throw PgError(caught.context, caught.data);
  }
}

void Up(Body body, void* argument) {
  MemoryContext error_context = nullptr;
  ErrorData* error_data = nullptr;
  Raised raised{};
  const Saved saved;
  try {
    body(argument);
    return;
  } catch (PgError& error) {
    auto [context, data] = error.Release();
    error_context = context;
    error_data = data;
  } catch (const Error& error) {
    raised = {error.sqlstate(), Copy(error.what()),
              error.hint().empty() ? nullptr : Copy(error.hint().c_str()),
              error.detail().empty() ? nullptr : Copy(error.detail().c_str())};
  } catch (const std::bad_alloc&) {
    raised = {ERRCODE_OUT_OF_MEMORY, const_cast<char*>("out of memory"), nullptr, nullptr};
  } catch (const std::exception& error) {
    raised = {ERRCODE_INTERNAL_ERROR, Copy(error.what()), nullptr, nullptr};
  } catch (...) {
    raised = {ERRCODE_INTERNAL_ERROR, const_cast<char*>("unrecognized exception"), nullptr,
              nullptr};
  }
  // No exception object is alive from here on: the error leaves by longjmp.
  saved.Restore();
  if (error_data != nullptr) {
    PgError::Rethrow(error_context, error_data);
  }
  ereport(ERROR, (errcode(raised.sqlstate), errmsg("%s", raised.message),
                  raised.detail != nullptr ? errdetail("%s", raised.detail) : 0,
                  raised.hint != nullptr ? errhint("%s", raised.hint) : 0));
}

}  // namespace border
}  // namespace ratchet::pg
