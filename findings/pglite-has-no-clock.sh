#!/usr/bin/env bash
# PGlite accepts time-outs and keeps none, and says of autovacuum that it is on.
#
# With: npm @electric-sql/pglite 0.5.17, which is PostgreSQL 18 compiled to WebAssembly.
# It is taken for tests of what will run on a server, and most SQL is the same. A good guess is that a limit it takes
# is kept. A statement that runs into statement_timeout, and a transaction into transaction_timeout, end well,
# long after; pg_cancel_backend answers false. autovacuum is "on", and there is only one process, which is the session.
#
# For who schedules: a test of a job there says nothing of what becomes of it when it takes too long, and nothing of
# what a server does by itself in between: tables are neither vacuumed nor analyzed.
. "$(dirname "$0")/laboratory"

behaviour() {
    npm_packages @electric-sql/pglite@0.5.17
    cat >"$lab/try.mjs" <<'SCRIPT'
import { PGlite } from '@electric-sql/pglite'
const db = new PGlite()
const value = async text => {
    const result = (await db.exec(text)).at(-1).rows[0]
    return Object.values(result).join(' ')
}
const took = async text => {
    const before = Date.now()
    const result = await value(text).catch(error => 'error ' + error.code)
    return `${result}, ${Date.now() - before >= 900 ? 'after all of the second' : 'early'}`
}
console.log((await value('SHOW server_version')).replace(/^18\..*/, 'server_version 18'))
console.log('statement_timeout 100 ms:', await took(`SET statement_timeout = '100ms'; SELECT 'the end' FROM pg_sleep(1)`))
console.log('transaction_timeout 100 ms:', await took(`SET statement_timeout = 0; SET transaction_timeout = '100ms';
    BEGIN; SELECT pg_sleep(1); COMMIT; SELECT 'the end'`))
console.log('pg_cancel_backend:', await value('SELECT pg_cancel_backend(pg_backend_pid())'))
console.log('autovacuum:', await value('SHOW autovacuum'))
console.log('processes:', await value(`SELECT string_agg(backend_type, ', ') FROM pg_stat_activity`))
SCRIPT
    (cd "$lab" && node try.mjs)
}

as_recorded behaviour <<'RECORDED'
@electric-sql/pglite@0.5.17 (npm)
server_version 18
statement_timeout 100 ms: the end, after all of the second
transaction_timeout 100 ms: the end, after all of the second
pg_cancel_backend: false
autovacuum: on
processes: standalone backend
RECORDED
