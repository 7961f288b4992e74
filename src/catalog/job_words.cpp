#include "catalog/job.h"

namespace ratchet::catalog {
namespace {

// In the order of the enumerations.
constexpr const char* kTransactionModes[] = {"single", "per_statement"};
constexpr const char* kOverlaps[] = {"skip", "queue", "allow"};
constexpr const char* kOnCrash[] = {"resume", "next"};
constexpr const char* kMisfires[] = {"once", "skip", "all"};
constexpr const char* kPers[] = {"item", "batch"};
constexpr const char* kBatchModes[] = {"full", "incremental"};

}  // namespace

std::span<const char* const> Words(TransactionMode) { return kTransactionModes; }
std::span<const char* const> Words(Overlap) { return kOverlaps; }
std::span<const char* const> Words(OnCrash) { return kOnCrash; }
std::span<const char* const> Words(Misfire) { return kMisfires; }
std::span<const char* const> Words(Per) { return kPers; }
std::span<const char* const> Words(BatchMode) { return kBatchModes; }

}  // namespace ratchet::catalog
