#!/usr/bin/env bash
# An extension that revokes USAGE on the row type of its own table makes pg_dump 15 warn in every dump.
#
# With: PostgreSQL 15.18 and 18.4, and pg_dump 15 of Debian's postgresql-client-15 against the first of them.
# The row type of a table is usable by PUBLIC, so that anybody can have a column of it, which is in the way of ALTER
# TABLE. REVOKE ... ON TYPE names it and works, within an extension's script as outside.
# Seen: what an extension's script revokes is written to pg_init_privs, and pg_dump 15 knows no row types there:
# "unsupported pg_init_privs entry" for each, as a warning in each dump of the database, also of other tables only.
# The dump is complete.
#
# For who schedules: backups that mail what pg_dump says on standard error mail each night. So pg_ratchet leaves the
# privileges on its row types as they are.
. "$(dirname "$0")/laboratory"

extension() { # server: shelf, whose table's row type is for its owner only
    local to=$lab/$1/server/share/postgresql/extension
    [ -d "$to" ] || to=$lab/$1/server/share/extension
    printf '%s\n' "default_version = '1.0'" 'relocatable = true' >"$to/shelf.control"
    printf '%s\n' 'CREATE TABLE book (title text);' 'REVOKE USAGE ON TYPE book FROM PUBLIC;' >"$to/shelf--1.0.sql"
}

behaviour() {
    local version
    need pg_dump postgresql-client
    for version in 15.18.0-beta.17 18.4.0-beta.17; do
        server "pg$version" "$version"
        extension "pg$version"
        sql "pg$version" <<'SQL'
CREATE EXTENSION shelf;
CREATE TABLE other_table (i int);
SELECT 'in pg_init_privs: ' || count(*) || ' row type' FROM pg_init_privs WHERE classoid = 'pg_type'::regclass;
SQL
    done
    pg_dump --version | sed 's/\(PostgreSQL) [0-9]*\).*/\1, of the other table of 15.18:/'
    pg_dump -h "$lab/pg15.18.0-beta.17" -U postgres -t other_table postgres 2>&1 >/dev/null | sed 's/[0-9][0-9]* [0-9][0-9]* [0-9][0-9]*$/…/'
}

as_recorded behaviour <<'RECORDED'
postgres (PostgreSQL) 15.18
in pg_init_privs: 1 row type
postgres (PostgreSQL) 18.4
in pg_init_privs: 1 row type
pg_dump (PostgreSQL) 15, of the other table of 15.18:
pg_dump: warning: unsupported pg_init_privs entry: …
RECORDED
