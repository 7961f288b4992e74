// Prints the labels of parcels: node consumer.js QUEUE. The connection is that of PGHOST, PGDATABASE and so on.
'use strict';
const { Client, DatabaseError } = require('pg');
const { setTimeout: sleep } = require('timers/promises');

const queue = process.argv[2];
const lease = Number(process.env.LEASE ?? 30);  // seconds
const isStale = (error) => error.code === '55000';
const isLost = (error) => !(error instanceof DatabaseError) || /^(08|57)/.test(error.code);  // the connection
const aMoment = () => sleep(200 + 1000 * Math.random());

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { stopping = true; });

async function connect() {
  const client = new Client();
  client.on('error', () => {});  // told by the statement that needs it
  await client.connect();
  return client;
}

async function connected(use) {
  const client = await connect();
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}

// The work: it takes as long as it takes, and is in no transaction.
async function printLabel(payload) {
  await sleep(1000 * (payload.seconds ?? 0));
  if (!payload.address) throw new TypeError(`parcel ${payload.parcel} has no address`);
  return `To ${payload.address}`;
}

// Prolongs the lease until it is told to end.
function keep(task) {
  const timer = setInterval(() => {
    connected((client) => client.query('SELECT ratchet.extend($1::bigint, $2, make_interval(secs => $3))', [task.task_id, task.token, lease]))
      .catch((error) => { if (isStale(error)) clearInterval(timer); });  // else the next time
  }, 1000 * lease / 3);
  return () => clearInterval(timer);
}

// What became of a COMMIT whose answer was lost.
async function hasCommitted(xid) {
  for (;;) {
    const status = await connected((client) => client.query('SELECT pg_xact_status($1::xid8) AS is', [xid]))
      .then((result) => result.rows[0].is, () => 'unknown: the server is away');
    if (status === 'committed' || status === 'aborted') return status === 'committed';
    await aMoment();
  }
}

// The effect and the completion in one transaction; again when the connection was lost before it had committed.
async function complete(task, label) {
  for (;;) {
    let xid;
    try {
      return await connected(async (client) => {
        await client.query('BEGIN');
        await client.query('INSERT INTO label VALUES ($1, $2)', [task.payload.parcel, label]);
        const result = await client.query(
          'SELECT pg_current_xact_id()::text AS xid, ratchet.complete($1::bigint, $2)', [task.task_id, task.token]);
        xid = result.rows[0].xid;
        await client.query('COMMIT');
      });
    } catch (error) {
      if (!isLost(error)) throw error;
      if (xid !== undefined && await hasCommitted(xid)) return undefined;
      await aMoment();
    }
  }
}

async function consume(client) {
  const claimed = await client.query(
    "SELECT task_id, token, payload FROM ratchet.claim($1, lease => make_interval(secs => $2), wait => '3 seconds')", [queue, lease]);
  const task = claimed.rows[0];  // its numbers are text, for they are larger than those of JavaScript
  if (!task) return;
  const end = keep(task);
  try {
    await complete(task, await printLabel(task.payload));
  } catch (error) {
    if (isStale(error)) console.error(`${error.message}: its effect is rolled back`);
    else await client.query('SELECT ratchet.fail($1, $2, $3)', [task.task_id, task.token, error.message]);
  } finally {
    end();
  }
}

(async () => {
  let client;
  while (!stopping) {
    try {
      client ??= await connect();
      await consume(client);
    } catch (error) {
      console.error(error.message);
      await client?.end().catch(() => {});
      client = undefined;
      await aMoment();
    }
  }
  await client?.end();
})();
