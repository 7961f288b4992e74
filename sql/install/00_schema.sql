-- A member of the extension: CREATE EXTENSION fails if somebody else made a schema of this name.
CREATE SCHEMA ratchet;
