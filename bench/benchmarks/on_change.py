"""T9: what a change trigger costs the writers of a table."""

from rig.ratchet import Ratchet
from rig.report import Series, progress, require, spread

ROWS = 100_000
CLIENTS = 8
UPDATE = f"\\set id random(1, {ROWS})\nUPDATE account SET changes = changes + 1 WHERE id = :id;\n"
SIDES = ("without", "with")
DEBOUNCE = 1.0  # seconds


def run(sizes, found):
    ratchet = Ratchet(1)
    server = ratchet.server
    server.run("CREATE TABLE account (id int PRIMARY KEY, changes bigint NOT NULL) WITH (fillfactor = 50);"
               f"INSERT INTO account SELECT g, 0 FROM generate_series(1, {ROWS}) g;"
               "VACUUM ANALYZE account")
    ratchet.schedule(1, "@manual", "SELECT 1", prefix="notice")
    ratchet.enable()
    # The time of a flush changes from second to second on many machines: so many short rounds.
    seconds, rounds = max(2.0, sizes.seconds_each / 2), sizes.on_change_rounds
    rows = []
    for durable in ("on", "off"):
        server.run(f"ALTER DATABASE bench SET synchronous_commit = {durable}")
        series = Series()
        for repeat in range(rounds):
            # The order changes, so that neither side always comes after the other one's load.
            for side in SIDES if repeat % 2 == 0 else reversed(SIDES):
                progress(f"synchronous_commit {durable}, round {repeat + 1}: {side} a trigger")
                series.add(side, **write(ratchet, side, seconds))
        if durable == "on":
            found.goal("T9", f"writers of a table with a change trigger, {CLIENTS} clients, durable: tps", "≥ 0.95 ×",
                       series.ratio("with", "without", "rate"), "×", at_least=0.95)
        rows.append((durable, series.spread("without", "rate"), series.spread("with", "rate"),
                     spread(series.ratio("with", "without", "rate")), spread(series.ratio("with", "without", "cpu")),
                     series.spread("with", "runs"), series.spread("with", "count")))
    found.table(["synchronous_commit", "tps without", "tps with a change trigger", "ratio", "ratio of CPU per transaction",
           "runs", "for so many changes"], rows,
          f"Target: ratio ≥ 0.95 with synchronous commits. {CLIENTS} clients that change one row by its key in each"
          f" transaction; debounce {DEBOUNCE:.0f} s; {rounds} rounds of {seconds:.0f} s. The CPU is that of the whole"
          " server, the runs included. With the trigger, a run is asked for in each round, and there is no more than"
          " one per debounce.")


def write(ratchet, side, seconds):
    server = ratchet.server
    if side == "with":
        server.run(f"SELECT ratchet.trigger_on_change('account', 'notice1', debounce => '{DEBOUNCE} seconds')")
    last = server.number("SELECT coalesce(max(run_id), 0) FROM ratchet.run_log")
    before = server.number("SELECT sum(changes) FROM account")
    spent = server.cpu()
    rate, count = server.pgbench(UPDATE, CLIENTS, seconds, protocol="simple")
    spent = server.cpu() - spent
    require(server.number("SELECT sum(changes) FROM account") - before == count, "pgbench made other changes than it says")
    if side == "with":
        server.wait_until("SELECT NOT EXISTS (SELECT FROM ratchet.run_queue)", "the last run ends", timeout=30)
        server.run("SELECT ratchet.drop_trigger_on_change('account', 'notice1')")
    runs = ratchet.check_runs(f"run_id > {last:.0f}")
    if side == "with":
        require(1 <= runs <= seconds / DEBOUNCE + 2, f"{runs} runs in {seconds} seconds")
    else:
        require(runs == 0, f"{runs} runs without a trigger")
    return {"rate": rate, "cpu": spent / count * 1e6, "runs": runs, "count": count}
