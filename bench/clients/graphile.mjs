// graphile-worker, in its fastest mode: node graphile.mjs install | work KIND COUNT
import { run, runMigrations } from "graphile-worker";
import { AT_ONCE, CONCURRENT, handlers, measured, pool, untilNone } from "./measured.mjs";

const quiet = { error: console.error, warn() {}, info() {}, debug() {} };
const { Logger } = await import("graphile-worker");
const logger = new Logger(() => (level, message) => level === "error" && quiet.error(message));

const [action, kind, count] = process.argv.slice(2);
if (action === "install") {
  await runMigrations({ pgPool: pool, logger });
  await pool.end();
} else {
  await measured(
    Number(count),
    async (one) => {
      const runner = await run({
        pgPool: pool,
        noHandleSignals: true,
        parsedCronItems: [],
        logger,
        preset: {
          worker: {
            concurrentJobs: CONCURRENT,
            localQueue: { size: AT_ONCE },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0,
          },
        },
        taskList: {
          [kind]: async (task) => {
            await handlers[kind](task);
            one();
          },
        },
      });
      return () => runner.stop();
    },
    () => untilNone("SELECT FROM graphile_worker.jobs LIMIT 1"),
  );
}
