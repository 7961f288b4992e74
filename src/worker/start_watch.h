// How long a worker waits for locks while it connects.
#pragma once

namespace ratchet::worker {

// The owner of a database can hold up everybody who connects to it, by locks on its system
// catalogs. Its workers must not take the places of those of other databases meanwhile: one that
// has waited for about a second and a half gives up, and its last words say why. From its
// construction to its destruction; there is one in a process.
class StartWatch {
 public:
  StartWatch();
  StartWatch(const StartWatch&) = delete;
  StartWatch& operator=(const StartWatch&) = delete;
  ~StartWatch();
};

}  // namespace ratchet::worker
