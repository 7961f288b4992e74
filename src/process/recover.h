// What a process of ours does with an error that it survives.
#pragma once

#include <exception>

namespace ratchet::process {

// Ends the transaction that the error has left.
void Recover() noexcept;
// Tells the log that this activity has failed, too.
void ReportAndRecover(const char* activity, const std::exception& error) noexcept;

}  // namespace ratchet::process
