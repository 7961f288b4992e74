// What somebody is told whose text commits where it cannot.
#pragma once

namespace ratchet::worker {

// Why what a job runs cannot commit.
enum class OneTransaction { kNot, kStatements, kDryRun, kBatch };

// Says what helps, if the error in hand is about a COMMIT. To be called by a callback in
// error_context_stack.
void HintAtCommit(OneTransaction why);

}  // namespace ratchet::worker
