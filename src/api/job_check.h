// What makes a definition a sensible one.
#pragma once

#include <string>

#include "catalog/job.h"

namespace ratchet::api {

// Raises an error that names the argument, unless the text can name a job or a mutex.
void CheckName(const std::string& name, const char* argument);
// Throws when the text has a character that changes how a log or a terminal shows what is beside
// it.
void RequireVisible(const std::string& text, const char* argument);

// The text, unless there is none in it.
std::string RequireText(std::string text, const char* argument);

// Fills in what was not given (the defaults of time zone and owner; `search_path` in the settings),
// checks everything that differs from `old`, and sets version and schedule_since as the difference
// asks for. `old` is null for a new job. Returns whether there is a difference.
bool CompleteJob(catalog::JobDefinition* job, const catalog::JobDefinition* old,
                 const std::string& search_path);

}  // namespace ratchet::api
