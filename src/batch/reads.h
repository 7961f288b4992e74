// What a query reads, as far as that can be known without running it.
#pragma once

#include <string>
#include <vector>

#include "pg/server.h"

namespace ratchet::batch {

struct Reads {
  std::vector<Oid> tables;  // also the sequences that belong to them
  // A function that may read tables of its own; empty when there is none. One that the planner puts
  // in line is none: its tables are among the others.
  std::string function;
  // A table whose rows are committed elsewhere; empty when there is none.
  std::string foreign_table;
  // Rows that come from nowhere on this server (batch/plan_parts.h). Its functions are not looked
  // at.
  bool is_elsewhere = false;
  std::string subscribed_table;
  std::string materialized_view;
  bool skips_locked = false;
  // Asks for the logical time of the run, so that runs of other times have other rows.
  bool depends_on_time = false;
};

// In a transaction, connected to SPI or not, as the current user.
Reads ReadsOf(const std::string& query);

// Throws when rows may come in an order of which this server knows nothing: mode => 'incremental'
// cannot tell then whether a smaller key is still to come.
void RequireLocalWriters(const Reads& reads);
[[noreturn]] void RefuseForeignTable(const std::string& table);

}  // namespace ratchet::batch
