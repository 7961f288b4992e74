// The columns of ratchet.job, and of ratchet.job_version, which has what runs pin of them. Sealed
// is what runs, and as whom.
#pragma once

#include "catalog/declaration.h"
#include "catalog/job_version.h"

namespace ratchet::catalog {

// One of a few words: see Words().
struct Choice {
  static constexpr Oid kType = TEXTOID;
  template <typename Value>
  static bool Read(const pg::Row& row, int column, Value* value) {
    return Parse(row.Text(column), value);
  }
  template <typename Value>
  static void Set(pg::Row* row, int column, Value value) {
    row->SetText(column, Name(value));
  }
};

using Job = JobDefinition;
using Version = JobVersion;

// clang-format off
inline constexpr auto kJobColumns = Declare<Job>(
    Column<Int8, &Job::job_id>("job_id").Sealed(),
    Column<Text, &Job::job_name>("job_name"),
    Column<Role, &Job::owner>("owner").Sealed(),
    Column<Int4, &Job::version>("version").Sealed(),
    Column<Bool, &Job::enabled>("enabled"),
    Column<Text, &Job::schedule>("schedule"),
    Column<Text, &Job::time_zone>("time_zone"),
    Column<Time, &Job::schedule_since>("schedule_since"),
    Nullable<Text, &Job::command>("command").Sealed(),
    Column<Choice, &Job::transaction>("transaction").Sealed(),
    Column<Choice, &Job::overlap>("overlap"),
    Nullable<Span, &Job::timeout>("timeout"),
    Column<Int4, &Job::max_attempts>("max_attempts"),
    Column<Span, &Job::backoff>("backoff"),
    Column<Float8, &Job::backoff_factor>("backoff_factor"),
    Column<Span, &Job::backoff_cap>("backoff_cap"),
    Column<Float8, &Job::backoff_jitter>("backoff_jitter"),
    Column<Choice, &Job::on_crash>("on_crash"),
    Column<Choice, &Job::misfire>("misfire"),
    Column<Int4, &Job::misfire_limit>("misfire_limit"),
    Nullable<Time, &Job::start_at>("start_at"),
    Nullable<Time, &Job::end_at>("end_at"),
    Nullable<Int4, &Job::max_runs>("max_runs"),
    Nullable<Text, &Job::mutex>("mutex"),
    Nullable<Text, &Job::active_window>("active_window"),
    Nullable<Text, &Job::calendar>("calendar"),
    Nullable<Text, &Job::only_if>("only_if").Sealed(),
    Nullable<TableArray, &Job::watch>("watch"),
    Nullable<TextArray, &Job::depends_on>("depends_on"),
    Where<&Job::has_environments, TextArray, &Job::environments>("environments"),
    Column<Int4, &Job::priority>("priority"),
    Nullable<Json, &Job::settings>("settings").Sealed(),
    Nullable<Json, &Job::payload>("payload").Sealed(),
    Nullable<Span, &Job::keep_history>("keep_history"),
    Nullable<Span, &Job::deadline>("deadline"),
    Nullable<Text, &Job::heartbeat>("heartbeat"),
    Where<&Job::has_comment, Text, &Job::comment>("comment"),
    Where<&Job::has_tags, TextArray, &Job::tags>("tags"),
    Column<Time, &Job::created_at>("created_at").Sealed(),
    Column<Time, &Job::changed_at>("changed_at"),
    Nullable<Time, &Job::backfill_from>("backfill_from"),
    Nullable<Text, &Job::source>("source").Sealed(),
    Nullable<Text, &Job::action>("action").Sealed(),
    Nullable<TextArray, &Job::key>("key").Sealed(),
    Where<&Job::has_items, Choice, &Job::per>("per").Sealed(),
    Where<&Job::has_items, Int4, &Job::batch_size>("batch_size"),
    Nullable<Span, &Job::batch_target>("batch_target"),
    Where<&Job::has_items, Choice, &Job::mode>("mode").Sealed(),
    Nullable<Span, &Job::max_run_time>("max_run_time"),
    Nullable<Int4, &Job::max_failed_items>("max_failed_items"),
    Nullable<Float8, &Job::pause_ratio>("pause_ratio"),
    Nullable<Span, &Job::max_replication_lag>("max_replication_lag"),
    Nullable<Json, &Job::columns>("columns").Sealed(),
    Other<Bool>("has_parents"),
    Nullable<Bool, &Job::is_queue>("is_queue").Sealed(),
    Other<Int8>("seal"));

inline constexpr auto kJobVersionColumns = Declare<Version>(
    Column<Int8, &Version::job_id>("job_id").Sealed(),
    Column<Int4, &Version::version>("version").Sealed(),
    Column<Text, &Version::job_name>("job_name"),
    Column<RoleNumber, &Version::owner>("owner").Sealed(),
    Other<RoleName>("owner_name"),
    Column<Text, &Version::schedule>("schedule"),
    Column<Text, &Version::time_zone>("time_zone"),
    Nullable<Text, &Version::command>("command").Sealed(),
    Column<Choice, &Version::transaction>("transaction").Sealed(),
    Nullable<Span, &Version::timeout>("timeout"),
    Nullable<Text, &Version::only_if>("only_if").Sealed(),
    Nullable<Json, &Version::settings>("settings").Sealed(),
    Nullable<Json, &Version::payload>("payload").Sealed(),
    Other<Time>("pinned_at"),
    Nullable<Text, &Version::source>("source").Sealed(),
    Nullable<Text, &Version::action>("action").Sealed(),
    Nullable<TextArray, &Version::key>("key").Sealed(),
    Where<&Version::has_items, Choice, &Version::per>("per").Sealed(),
    Where<&Version::has_items, Int4, &Version::batch_size>("batch_size"),
    Nullable<Span, &Version::batch_target>("batch_target"),
    Where<&Version::has_items, Choice, &Version::mode>("mode").Sealed(),
    Nullable<Span, &Version::max_run_time>("max_run_time"),
    Nullable<Int4, &Version::max_failed_items>("max_failed_items"),
    Nullable<Float8, &Version::pause_ratio>("pause_ratio"),
    Nullable<Span, &Version::max_replication_lag>("max_replication_lag"),
    Nullable<Json, &Version::columns>("columns").Sealed(),
    Nullable<Span, &Version::keep_history>("keep_history"),
    Other<Int8>("seal"));
// clang-format on

}  // namespace ratchet::catalog
