#!/usr/bin/env bash
# Prints the labels of parcels: consumer.sh QUEUE. The connection is that of PGHOST, PGDATABASE and so on.
set -u
queue=$1 lease=${LEASE:-30} # seconds

# What is in hand is let finish.
stopping=''
trap 'stopping=yes' TERM

# SQL comes from standard input. Status 3: an error of the server, 2: the connection was lost.
sql() { psql -XAtq -v ON_ERROR_STOP=1 -v VERBOSITY=sqlstate -v queue="$queue" -v lease="$lease s" "$@"; }

a_moment() { sleep "0.$((RANDOM % 8 + 2))"; }

# The work: it takes as long as it takes, and is in no transaction.
print_label() { # payload
    local address seconds
    address=$(sed -n 's/.*"address": "\([^"]*\)".*/\1/p' <<<"$1")
    seconds=$(sed -n 's/.*"seconds": \([0-9.]*\).*/\1/p' <<<"$1")
    sleep "${seconds:-0}"
    [ -n "$address" ] && echo "To $address"
}

# Prolongs the lease until it is ended, or nobody is there who does the work.
keep() { # task, token
    while sleep "$(awk "BEGIN { print $lease / 3 }")" && kill -0 $$; do
        sql -v task="$1" -v token="$2" <<<"SELECT ratchet.extend(:task, :token, :'lease')" 2>/dev/null
        [ $? != 3 ] || return # it is stale: complete will say so as well
    done
}

# What became of a COMMIT whose answer was lost.
has_committed() { # transaction
    local status=''
    until [ "$status" = committed ] || [ "$status" = aborted ]; do
        a_moment
        status=$(sql -v xid="$1" <<<"SELECT pg_xact_status(:'xid'::xid8)" 2>/dev/null)
    done
    [ "$status" = committed ]
}

# The effect and the completion in one transaction; again when the connection was lost before it had committed.
complete() { # task, token, payload, label
    local xid said status
    said=$(mktemp)
    while :; do
        xid=$(sql -v task="$1" -v token="$2" -v payload="$3" -v label="$4" 2>"$said" <<'SQL'
BEGIN;
INSERT INTO label SELECT (:'payload'::jsonb ->> 'parcel')::uuid, :'label';
SELECT ratchet.complete(:task, :token) \g /dev/null
SELECT pg_current_xact_id();
COMMIT;
SQL
        )
        status=$?
        case $status in
            0) break ;;
            3) # the task is not ours any more, which is no failure, or it has failed
                grep -q 55000 "$said" || fail "$1" "$2" "$(cat "$said")"
                break
                ;;
        esac
        if [ -n "$xid" ] && has_committed "$xid"; then break; fi
        a_moment
    done
    cat "$said" >&2
    rm -f "$said"
}

fail() { sql -v task="$1" -v token="$2" -v error="$3" <<<"SELECT ratchet.fail(:task, :token, :'error')"; }

while [ -z "$stopping" ]; do
    claimed=$(sql -F $'\t' <<<"SELECT task_id, token, payload FROM ratchet.claim(:'queue', lease => :'lease', wait => '3 seconds')") || a_moment
    [ -n "$claimed" ] || continue
    IFS=$'\t' read -r task token payload <<<"$claimed"
    keep "$task" "$token" &
    keeper=$!
    if label=$(print_label "$payload"); then
        complete "$task" "$token" "$payload" "$label"
    else
        fail "$task" "$token" "it has no address: $payload"
    fi
    kill "$keeper" 2>/dev/null
    wait "$keeper" 2>/dev/null || true
done
