"""The web page in a real browser: how soon it is there, and how it stands 100,000 nodes and 10,000 hosts."""

import json
import os
import subprocess


def measure(root, row, deadline_s):
    """The rows are taken by e2e/big, which leaves them in its report."""
    report = root / "target/web-bench.json"
    report.unlink(missing_ok=True)
    programs = {
        "P2PPOOL_BIN": root / "target/release/p2ppool",
        "FILL_STORE_BIN": root / "target/release/examples/fill_store",
        "PLAYWRIGHT_JSON_OUTPUT_NAME": report,
    }
    environment = {**os.environ, **{name: str(value) for name, value in programs.items()}}
    command = ["npm", "run", "big", "--", "--reporter=list,json"]
    ended = subprocess.run(command, cwd=root / "e2e", env=environment, timeout=deadline_s)
    rows = [
        row(told["name"], told["unit"], told["better"], told["ours"], {}, told["limit"])
        for test in tests(json.loads(report.read_text())["suites"])
        for told in (json.loads(note["description"]) for note in test["annotations"] if note["type"] == "measured")
    ]
    if ended.returncode != 0 and not rows:
        raise SystemExit("the browser measured nothing")
    return rows


def tests(suites):
    """All tests of a report, whose suites are nested."""
    for suite in suites:
        yield from (test for spec in suite.get("specs", []) for test in spec["tests"])
        yield from tests(suite.get("suites", []))
