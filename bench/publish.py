"""Puts what the benchmarks found last into the documents. Called by bench/publish."""

import os
import re
import sys
from pathlib import Path

from benchmarks import BENCHMARKS
from rig import render, results


def replaced(text, name, lines):
    """The text with these lines between its two comments."""
    block = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if len(block.findall(text)) != 1:
        sys.exit(f"bench/publish: docs/performance.md has no place for {name}")
    return block.sub(lambda match: match[1] + "\n".join(lines) + "\n" + match[2], text)


def main():
    docs = Path(os.environ["RATCHET_TOP"]) / "docs"
    found = results.load(BENCHMARKS)
    missing = set(BENCHMARKS) - {findings["name"] for findings in found}
    if missing:
        sys.exit(f"bench/publish: not measured yet: {', '.join(sorted(missing))}; make bench measures all")
    changed = [findings["name"] for findings in found if any("changed)" in line for line in findings["machine"])]
    if changed:
        print(f"bench/publish: measured with sources that are not committed: {', '.join(changed)}", file=sys.stderr)
    render.draw_all(found, docs / "plots")
    (docs / "measurements.md").write_text(render.text(found), encoding="utf-8")
    path = docs / "performance.md"
    text = path.read_text(encoding="utf-8")
    for name, lines in (("machine", render.machines(found)), ("targets", render.summary(found)),
                        ("limits", render.limits(found))):
        text = replaced(text, name, lines)
    path.write_text(text, encoding="utf-8")


main()
