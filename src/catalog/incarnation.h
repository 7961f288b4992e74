// Which life of the extension this is: DROP EXTENSION and CREATE EXTENSION begin another one.
#pragma once

#include "pg/server.h"

namespace ratchet::catalog {

// The incarnation of the extension in this database, by which those who remember something of it
// notice that it was dropped and created anew meanwhile: the OID of its table of jobs. InvalidOid:
// it is not there. Of this moment, whatever the snapshot; who has a lock on one of its tables can
// rely on it until the transaction ends.
Oid FindIncarnation();
// An error, 42704, when it is another one.
void RequireIncarnation(Oid incarnation);

}  // namespace ratchet::catalog
