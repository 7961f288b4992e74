// What the clients of the benchmark queues have in common: they say that they are ready, begin when they are
// told to, and tell what they have used when so many tasks are done.
import { createInterface } from "node:readline";
import pg from "pg";

export const CONCURRENT = 24;
export const AT_ONCE = 500;

export const pool = new pg.Pool({ max: CONCURRENT + 6 });

// What a task does: nothing, one UPDATE by key, or a row that says when.
export const handlers = {
  noop: async () => {},
  effect: async (task) => {
    await pool.query({
      name: "effect",
      text: "UPDATE account SET changes = changes + 1 WHERE k = $1",
      values: [task.k],
    });
  },
  stamp: async (task) => {
    await pool.query({
      name: "stamp",
      text: "INSERT INTO done VALUES ($1, extract(epoch FROM clock_timestamp()))",
      values: [task.sent],
    });
  },
};

const lines = createInterface({ input: process.stdin });
const told = lines[Symbol.asyncIterator]();
export const nextLine = async () => (await told.next()).value;

// Resolves when the query returns no row any more.
export async function untilNone(query) {
  while ((await pool.query(query)).rows.length > 0) {
    await new Promise((done) => setTimeout(done, 5));
  }
}

// Runs work(count one) from the line "go" until finished() resolves; prints seconds and seconds of CPU.
export async function measured(count, work, finished) {
  let left = count;
  let allDone;
  const all = new Promise((done) => (allDone = done));
  console.log("ready");
  await nextLine();
  const used = process.cpuUsage();
  const begun = process.hrtime.bigint();
  const stop = await work(() => {
    if (--left === 0) allDone();
  });
  if (count > 0) {
    await all;
    await finished();
  } else {
    console.log("works");
    await nextLine();
  }
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const { user, system } = process.cpuUsage(used);
  console.log(JSON.stringify({ seconds, cpu: (user + system) / 1e6 }));
  await stop();
  await pool.end();
  process.exit(0);
}
