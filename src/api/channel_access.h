// Channels by name, and who may use them: the owner, members of that, and superusers; one of a
// superuser only superusers.
#pragma once

#include <optional>
#include <string>

#include "catalog/channel.h"

namespace ratchet::api {

// Raises 42704 when there is none, and 42501 for who may not use it.
catalog::Channel RequireChannel(const std::string& channel_name);
// The same for who is about to change it: whose it is, is looked at before anything is waited for,
// and the row is held until the transaction ends.
catalog::Channel LockChannel(const std::string& channel_name, ItemPointer tid);

// A NOTICE where it was not written by the library, or this database is a copy.
void TellIfChannelHeldBack(const catalog::Channel& channel);

// Whether the role may deliver messages: ratchet.grant_sender(). Also true for superusers.
bool IsSender(Oid role);

}  // namespace ratchet::api
