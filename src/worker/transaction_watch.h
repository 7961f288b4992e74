// What the transactions of a run did, seen from the server's transaction callbacks.
#pragma once

namespace ratchet::worker {

// Once per process, before its first run.
void InstallTransactionWatch();

// Forgets what earlier transactions did.
void BeginTransactionWatch();

// Some transaction since Begin wrote something: one that committed, or the one that is open.
bool HasWritten();
// One that committed.
bool HasCommittedWrites();
// A transaction that committed since Begin used temporary tables.
bool HasUsedTemporaryTables();

// The next commit does not wait for its WAL to be flushed. The setting synchronous_commit is what
// it was before the server undoes the transaction's own SET LOCAL.
void CommitNextAsynchronously();

}  // namespace ratchet::worker
