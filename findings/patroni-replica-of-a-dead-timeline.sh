#!/usr/bin/env bash
# Patroni calls a member healthy that can never follow its leader again, and makes it the next leader.
#
# With: Patroni 3.0.2 (3.0.2-1) with etcd 3.4.23, and PostgreSQL 15, all of Debian 12.
# The leader is killed and comes back behind the one that has taken over. Patroni runs pg_rewind, which refuses where
# full_page_writes is off, as it may be on file systems that write pages at once (ZFS); any other reason will do.
# A good guess: such a member is in need of help, and not counted as a replica. Seen:
#   it starts as a replica of the timeline that has ended, and stays one: it gets no WAL, and has no row of what was
#                          committed since
#   GET /replica?lag=1MB   says 200, and /cluster a lag of 0: WAL of the dead timeline ends behind that of the leader
#   the leader dies        the member becomes the leader, without a word: what was committed since the first failover
#                          is gone
# By Patroni's source two settings keep it from that, and neither is the default: check_timeline, and
# synchronous_mode, in which the member is no synchronous standby.
#
# For who schedules: what has run since has no record any more and runs again. operations.md says what to set.
. "$(dirname "$0")/laboratory"

# Patroni starts servers again: it goes first.
trap 'kill_all "$lab"/*/pid; clean_up' EXIT

kill_all() { # files with the ids of processes
    local file
    for file in "$@"; do
        [ ! -s "$file" ] || as_server_user kill -9 "$(cat "$file")" 2>/dev/null || true
    done
}

packages() {
    local name
    debian patroni 3.0.2-1
    debian etcd-server 3.4.23-4+b4
    # Those that Patroni imports, and what a server of Debian has to find.
    for name in python3-dateutil python3-dnspython python3-etcd python3-psutil python3-psycopg2 python3-six python3-urllib3 \
        python3-yaml postgresql-15 postgresql-client-15 libicu72 libldap-2.5-0 libpq5 libsasl2-2 libxml2; do
        debian "$name" >/dev/null
    done
    export PYTHONPATH=$lab/debian/usr/lib/python3/dist-packages
    export LD_LIBRARY_PATH=$lab/debian/usr/lib/x86_64-linux-gnu
    server=$lab/debian/usr/lib/postgresql/15
}

free_ports() { # how many
    /usr/bin/python3 -c '
import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))' "$1"
}

begin() { # folder, command...
    # shellcheck disable=SC2016 # of the inner shell
    as_server_user sh -c 'cd "$1" && echo $$ >pid && shift && exec "$@" >>log 2>&1' begin "$lab/$1" "${@:2}" &
}

member() { # name, port, port of its REST interface
    mkdir "$lab/$1"
    ln -s "$server" "$lab/$1/server"
    cat >"$lab/$1/patroni.yml" <<YAML
scope: shop
name: $1
etcd3: {host: 127.0.0.1:$etcd}
restapi: {listen: 127.0.0.1:$3, connect_address: 127.0.0.1:$3}
bootstrap:
  dcs:
    loop_wait: 1
    postgresql: {use_pg_rewind: true, parameters: {full_page_writes: off}}
  initdb: [no-locale, no-sync, {encoding: UTF8}]
postgresql:
  listen: 127.0.0.1:$2
  connect_address: 127.0.0.1:$2
  data_dir: $lab/$1/data
  bin_dir: $server/bin
  pgpass: $lab/$1/pgpass
  basebackup: [{checkpoint: fast}, no-sync]
  parameters: {unix_socket_directories: $lab/$1}
  authentication: {superuser: {username: postgres, password: secret}, replication: {username: replicator, password: secret}}
  pg_hba: [local all all trust, host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
YAML
    [ "$(id -u)" != 0 ] || chown nobody: "$lab/$1"
}

start() { begin "$1" /usr/bin/python3 "$lab/debian/usr/bin/patroni" "$lab/$1/patroni.yml"; }

query() { # name, query
    psql -h "$lab/$1" -p "${port[$1]}" -U postgres -d postgres -XqAt -c "$2"
}

# What the REST interface says to a request: its status, or its body.
status() { curl -s -o "$lab/answer" -w '%{http_code}' "http://127.0.0.1:${rest[$1]}/$2" || true; }

wait_for() { # command...
    local tries
    for tries in {1..900}; do
        ! "$@" 2>/dev/null || return 0
        sleep 0.2
    done
    die "gave up after $tries tries: $*"
}

leads() { [ "$(status "$1" primary)" = 200 ] && [ "$(query "$1" 'SELECT pg_is_in_recovery()')" = f ]; }
stands_by() { [ "$(query "$1" 'SELECT pg_is_in_recovery()')" = t ]; }
streams() { [ "$(query "$1" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")" = 1 ]; }

# Patroni first, then the server. The lock of the leader goes as it does when its time is over.
dies() {
    kill_all "$lab/$1/pid"
    as_server_user kill -9 "$(head -n 1 "$lab/$1/data/postmaster.pid")"
    curl -sf -X POST -o "$lab/answer" "http://127.0.0.1:$etcd/v3/kv/deleterange" \
        -d "{\"key\": \"$(printf %s /service/shop/leader | base64)\"}"
}

behaviour() {
    local etcd peer server
    declare -A port rest
    need curl curl
    need psql postgresql-client
    packages
    read -r etcd peer "port[anna]" "rest[anna]" "port[bela]" "rest[bela]" < <(free_ports 6)
    mkdir "$lab/etcd"
    [ "$(id -u)" != 0 ] || chown nobody: "$lab/etcd"
    begin etcd "$lab/debian/usr/bin/etcd" --name only --data-dir "$lab/etcd/state" \
        --listen-client-urls "http://127.0.0.1:$etcd" --advertise-client-urls "http://127.0.0.1:$etcd" \
        --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
        --initial-cluster "only=http://127.0.0.1:$peer"
    member anna "${port[anna]}" "${rest[anna]}"
    member bela "${port[bela]}" "${rest[bela]}"
    wait_for curl -sf -o "$lab/answer" "http://127.0.0.1:$etcd/health"
    start anna
    wait_for leads anna
    start bela
    wait_for streams anna
    query anna 'CREATE TABLE invoice (id int); INSERT INTO invoice VALUES (1)'
    wait_for query bela 'SELECT 1 / count(*) FROM invoice' >/dev/null

    echo 'anna dies, and bela leads'
    dies anna
    wait_for leads bela
    query bela 'INSERT INTO invoice SELECT generate_series(2, 100)'
    start anna
    wait_for stands_by anna
    wait_for grep -q 'is not in this server.s history' "$lab/anna/log"
    echo "anna is back: $(grep -o 'pg_rewind: error: .*' "$lab/anna/log" | sort -u)"
    echo "GET /replica?lag=1MB: $(status anna 'replica?lag=1MB')"
    echo "invoices: $(query anna 'SELECT count(*) FROM invoice') of $(query bela 'SELECT count(*) FROM invoice')"
    status bela cluster >/dev/null
    /usr/bin/python3 -c '
import json, sys
for member in json.load(open(sys.argv[1]))["members"]:
    print(member["name"], member["role"], member["state"], "lag", member.get("lag"))' "$lab/answer"

    echo 'bela dies, and anna leads'
    dies bela
    wait_for leads anna
    echo "invoices: $(query anna 'SELECT count(*) FROM invoice')"
}

as_recorded behaviour <<'RECORDED'
patroni 3.0.2-1 (Debian 12)
etcd-server 3.4.23-4+b4 (Debian 12)
anna dies, and bela leads
anna is back: pg_rewind: error: full_page_writes must be enabled in the source server
GET /replica?lag=1MB: 200
invoices: 1 of 100
anna replica running lag 0
bela leader running lag None
bela dies, and anna leads
invoices: 1
RECORDED
