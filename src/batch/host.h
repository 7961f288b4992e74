// Where a walk runs: in a worker, or in a foreground session.
#pragma once

namespace ratchet::batch {

class Walk;

class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;

  // Afterwards a transaction is open, SPI is connected, and the run can be canceled.
  virtual void Begin() = 0;
  // From here on to the end of the transaction it cannot: what was done is being written down.
  virtual void Close() = 0;
  virtual void Commit() = 0;
  // Ends the transaction without its effects. False when that is not possible here, as it has seen
  // an error outside of a subtransaction (not `clean`).
  virtual bool Abort(bool clean) = 0;
  // The server stops: the walk ends behind what has committed, or behind the batch in hand.
  virtual bool HasToEnd() const { return false; }
  // Then also: an error with this SQLSTATE is due to that.
  virtual bool IsByStop(int /*sqlstate*/) const { return false; }
  // In the last transaction, after Close: records the run, and commits if that is up to us.
  virtual void Finish(const Walk& walk) = 0;
};

}  // namespace ratchet::batch
