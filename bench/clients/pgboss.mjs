// pg-boss, two loops that fetch 500 at once: node pgboss.mjs install | fill KIND COUNT | work KIND COUNT
import { PgBoss } from "pg-boss";
import { AT_ONCE, CONCURRENT, handlers, measured, pool } from "./measured.mjs";

const KEYS = 10_000;
const LOOPS = 2;

const [action, kind, count] = process.argv.slice(2);
const boss = new PgBoss({ max: 4, supervise: false, schedule: false });
boss.on("error", console.error);
await boss.start();

// So many at once as one at a time would be too slow, and all would be more than the pool has.
async function doAll(tasks) {
  for (let i = 0; i < tasks.length; i += CONCURRENT) {
    await Promise.all(tasks.slice(i, i + CONCURRENT).map((task) => handlers[kind](task.data)));
  }
}

if (action === "install") {
  for (const name of Object.keys(handlers)) await boss.createQueue(name);
  await boss.stop();
  await pool.end();
} else if (action === "fill") {
  for (let done = 0; done < Number(count); done += 1000) {
    const size = Math.min(1000, Number(count) - done);
    await boss.insert(kind, Array.from({ length: size }, (_, i) => ({ data: { k: 1 + ((done + i) % KEYS) } })));
  }
  await boss.stop();
  await pool.end();
} else {
  await measured(
    Number(count),
    async (one) => {
      let goesOn = true;
      const loop = async () => {
        while (goesOn) {
          const tasks = await boss.fetch(kind, { batchSize: AT_ONCE });
          if (!tasks || tasks.length === 0) {
            await new Promise((done) => setTimeout(done, 5));
            continue;
          }
          await doAll(tasks);
          await boss.complete(kind, tasks.map((task) => task.id));
          tasks.forEach(one);
        }
      };
      const loops = Array.from({ length: LOOPS }, loop);
      return async () => {
        goesOn = false;
        await Promise.all(loops);
        await boss.stop({ graceful: false });
      };
    },
    async () => {},
  );
}
