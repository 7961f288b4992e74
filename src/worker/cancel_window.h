// When the run in hand can be canceled, whoever asks for it (ratchet.cancel(), pg_cancel_backend(),
// a timer), in a worker and in a session alike:
//
//   open    while text of the job is executed, and between two batches: it takes effect at once
//   closed  while a batch or the run is written down: it takes effect once the window is open again
//   held    while a transaction of the run commits: nobody sees it before the commit is over
//
// Held, because the server ends the wait of a commit for a synchronous standby at a cancel, whether
// cancels are let in or not: what then is committed here may be lost with this server. So the wait
// is never ended, and the run obeys at the next boundary: behind the batch, or behind a COMMIT of
// the job's own text. A run that has committed its record has succeeded.
#pragma once

namespace ratchet::worker {

class CancelWindow {
 public:
  // `open` is the server's count of reasons not to be canceled while the window is open: that of
  // whoever has called the run.
  CancelWindow(int slot, unsigned int open) : slot_(slot), open_(open) {}
  CancelWindow(const CancelWindow&) = delete;
  CancelWindow& operator=(const CancelWindow&) = delete;
  ~CancelWindow() { Release(); }

  // Both say how it is, whatever it was: an error has opened it.
  void Open();
  void Close();

  // For the transaction callbacks.
  void Hold() noexcept;
  // No harm when it is not held.
  void Release() noexcept;
  // The run is over: what is still asked for was meant for it.
  void Drop() noexcept;

 private:
  int slot_;  // on the board
  unsigned int open_;
  bool held_ = false;
  bool was_pending_ = false;
};

// For a process that has no run in hand: nobody would catch a cancel.
void RefuseCancels();

// For a worker: its signal handler of cancels, which notes that there was one. The SQLSTATE alone
// does not tell, for whatever a job calls may raise it.
void InstallCancelHandler();
bool CancelHasCome();
void ForgetCancel();

}  // namespace ratchet::worker
