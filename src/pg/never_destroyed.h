// For what a process needs to its end: the server calls back when destructors of static objects
// have been run. It is made in place, without asking for memory, for the first who needs it may be
// a callback of a transaction's end, through which nothing can be thrown.
//
//   static NeverDestroyed<State> state;   // in a function
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>

namespace ratchet::pg {

template <typename T>
class NeverDestroyed {
  static_assert(std::is_nothrow_default_constructible_v<T>);

 public:
  NeverDestroyed() noexcept : object_(new (room_) T()) {}
  NeverDestroyed(const NeverDestroyed&) = delete;
  NeverDestroyed& operator=(const NeverDestroyed&) = delete;

  T& operator*() noexcept { return *object_; }

 private:
  alignas(T) std::byte room_[sizeof(T)];
  T* object_;
};

}  // namespace ratchet::pg
