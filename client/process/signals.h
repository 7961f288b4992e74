// Signals as something to read, in the one loop that everything runs in.
#pragma once

#include <initializer_list>

namespace client::process {

class Signals {
 public:
  // Before any thread is started, so that none of them gets these.
  explicit Signals(std::initializer_list<int> signals);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int descriptor() const { return descriptor_; }
  int Take();  // 0 when there is none

 private:
  int descriptor_;
};

}  // namespace client::process
