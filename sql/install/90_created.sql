-- The jobs of this database are at home here from now on, and its scheduler starts when this transaction
-- has committed.
SELECT ratchet._extension_created();
