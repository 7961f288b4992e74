// What somebody is told who asks for runs in a server that did not preload the library.
#pragma once

namespace ratchet::api {

// For what can be asked for there, and is not done: a WARNING, once in a session.
void WarnIfNotLoaded();

}  // namespace ratchet::api
