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

// The channel that the heartbeat of a job goes to: who defines that may use it, and so may the
// job's owner. Empty is none.
void RequireHeartbeat(const std::string& channel_name, Oid owner);

// A NOTICE where it was not written by the library, or this database is a copy.
void TellIfChannelHeldBack(const catalog::Channel& channel);

// Whether the role may deliver messages: ratchet.grant_sender(). Also true for superusers.
bool IsSender(Oid role);
// Raises 42501 for one that does and is no superuser: it defines nothing, so that a password of it
// that was stolen leaves nothing behind.
void RefuseSender(Oid role);

}  // namespace ratchet::api
