#include "api/channel_access.h"

#include "api/held_back.h"
#include "api/privilege.h"
#include "catalog/role_rights.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
}

namespace ratchet::api {
namespace {

void RequireMayUse(const catalog::Channel& channel) {
  if (!MayManage(channel.owner)) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "must be owner of channel \"" + channel.channel_name + "\"");
  }
}

[[noreturn]] void NoSuchChannel(const std::string& channel_name) {
  throw pg::Error(ERRCODE_UNDEFINED_OBJECT, "channel \"" + channel_name + "\" does not exist",
                  "ratchet.create_channel() makes one.");
}

}  // namespace

catalog::Channel RequireChannel(const std::string& channel_name) {
  std::optional<catalog::Channel> channel = catalog::FindChannelByName(channel_name);
  if (!channel) {
    NoSuchChannel(channel_name);
  }
  RequireMayUse(*channel);
  return *std::move(channel);
}

catalog::Channel LockChannel(const std::string& channel_name, ItemPointer tid) {
  RequireChannel(channel_name);
  std::optional<catalog::Channel> channel = catalog::FindChannelByName(channel_name, tid);
  if (!channel) {
    NoSuchChannel(channel_name);
  }
  RequireMayUse(*channel);
  return *std::move(channel);
}

void RequireHeartbeat(const std::string& channel_name, Oid owner) {
  if (channel_name.empty()) {
    return;
  }
  const catalog::Channel channel = RequireChannel(channel_name);
  if (!catalog::MayManageJobsOf(owner, channel.owner)) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "role \"" + RoleName(owner) + "\" may not use channel \"" + channel_name + "\"",
                    "The heartbeat of a job is sent in the name of its owner.");
  }
}

void TellIfChannelHeldBack(const catalog::Channel& channel) {
  if (channel.quarantined || IsCopy()) {
    pg::Call([&channel] {
      ereport(NOTICE, (errmsg("messages for channel \"%s\" are held back, because it was not "
                              "written by pg_ratchet in this database, or this is a copy",
                              channel.channel_name.c_str()),
                       errhint("A superuser lets them go by SELECT ratchet.adopt().")));
    });
  }
}

bool IsSender(Oid role) {
  return pg::Call([role] {
    // Not by list_make2, whose compound literals are none of C++.
    List* name = lappend(NIL, makeString(pstrdup("ratchet")));
    name = lappend(name, makeString(pstrdup("claim_deliveries")));
    const Oid claim = LookupFuncName(name, -1, nullptr, true);
    return OidIsValid(claim) && pg::MayExecute(claim, role);
  });
}

void RefuseSender(Oid role) {
  if (IsSender(role) && !pg::Call([role] { return superuser_arg(role); })) {
    throw pg::Error(ERRCODE_INSUFFICIENT_PRIVILEGE,
                    "role \"" + RoleName(role) + "\" delivers messages, and may define nothing",
                    "Use another role, or take that from it by ratchet.revoke_sender().");
  }
}

}  // namespace ratchet::api
