"""A slower disk for a server: slow_flush.c, which its processes load before all else."""

import functools
import os
import subprocess
from pathlib import Path

from rig.report import require


@functools.cache
def library():
    """Compiled to where the server's user can read it."""
    made = f"{os.environ['RATCHET_WORK']}/slow_flush.so"
    done = subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", made,
                           str(Path(__file__).with_name("slow_flush.c")), "-ldl"],
                          capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"slow_flush.c cannot be compiled: {done.stderr.strip()[-800:]}")
    return made


def environment(microseconds):
    """What a server is started with whose flushes of WAL take so much longer."""
    if not microseconds:
        return {}
    given = os.environ.get("LD_PRELOAD", "")
    return {"LD_PRELOAD": f"{library()} {given}".strip(), "SLOW_FLUSH_MICROSECONDS": str(microseconds)}
