"""A year of crawls of 10,000 nodes, on SQLite and PostgreSQL: what it takes to store it, and how fast it is told.

`crates/store/examples/history` makes the databases and measures the store; then the real manager is started on each
of them, and what people ask for is asked over HTTP.
"""

import http.client
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

SNAPSHOT_MAX_MS = {"sqlite": 500, "postgres": 1000}
CHART_MAX_MS = 300
PAGE_MAX_MS = 100
CSV_RATE_MIN = 200_000
CSV_MEMORY_MAX_MB = 64
QUIET_BYTES_MAX = 8
# The pool's crawls begin at 2026-01-01T00:00:00Z.
YEAR = "from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z"
CSV_DAYS = 10
FIRST = datetime(2026, 1, 1, tzinfo=timezone.utc)
# What a spreadsheet is made of; lists of addresses and neighbours are most of the bytes of a node.
CSV_COLUMNS = (
    "time,address,status,host_name,ip,version,consistency,connections,tcp,udp,relayed,rtt_ms,uptime_s,memory,cpu_s,load"
)
ROUNDS = 10
STARTS_WITHIN_S = 60


def year(root, row, deadline_s, days=365):
    """Rows of results for both databases."""
    program = root / "target/release/examples/history"
    environment = {**os.environ, "DAYS": str(days)}
    example = subprocess.Popen(
        [str(program)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    results = []
    try:
        for _ in SNAPSHOT_MAX_MS:
            line = example.stdout.readline()
            if not line:
                raise SystemExit(f"{program} ended early")
            told = json.loads(line)
            print(json.dumps(told), flush=True)
            with Manager(root, told["url"]) as manager:
                results += rows(row, told, manager, days)
            example.stdin.write("\n")
            example.stdin.flush()
        example.wait(timeout=deadline_s)
    finally:
        example.kill()
        example.wait()
    return results


def rows(row, told, manager, days):
    """The results of one database; peers: the same measured on change-only rows, where they were."""
    of = f"{told['database']}, {told['crawls']} crawls of 10,000 nodes: "
    name = told["database"]
    snapshot_max = SNAPSHOT_MAX_MS["sqlite" if name.lower().startswith("sqlite") else "postgres"]
    median = lambda key: told[key]["median"]
    alternative = lambda key: {"change-only rows": told[key]["median"] if isinstance(told[key], dict) else told[key]}
    chart = manager.timed(f"stats?{YEAR}&buckets=400")
    page = manager.pages(days)
    results = [
        row(of + "store a snapshot", "ms", "lower", median("store_ms"), alternative("rows_living_store_ms"), snapshot_max),
        row(of + "store one more at the end", "ms", "lower", median("store_after_ms"), {}, snapshot_max),
        row(of + "chart of all, 400 buckets", "ms", "lower", chart, {}, CHART_MAX_MS),
        row(of + "200 nodes of any crawl", "ms", "lower", page, alternative("rows_living_page_ms"), PAGE_MAX_MS),
        row(of + "nothing changed", "bytes per node-crawl", "lower", told["quiet_bytes"], alternative("rows_quiet_bytes"), QUIET_BYTES_MAX),
        row(of + "living pool", "bytes per node-crawl", "lower", told["living_bytes"], alternative("rows_living_bytes"), None),
    ]
    for what, columns, limit in (("16 columns", CSV_COLUMNS, CSV_RATE_MIN), ("all columns", "", None)):
        rate, megabytes = manager.csv(columns)
        results.append(row(of + f"CSV of {what}", "rows/s", "higher", rate, {}, limit))
        results.append(row(of + f"CSV of {what}, memory", "MB", "lower", megabytes, {}, CSV_MEMORY_MAX_MB))
    return results


class Manager:
    """The real program on a database that is there."""

    def __init__(self, root, database):
        self.folder = tempfile.TemporaryDirectory(prefix="p2ppool-bench-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        program = Path(os.environ.get("P2PPOOL_BIN", root / "dist/p2ppool"))
        command = [str(program), "serve", "--data", f"{self.folder.name}/data", "--database", database]
        self.log = open(f"{self.folder.name}/log", "wb")
        self.process = subprocess.Popen(
            command + ["--listen", f"127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )

    def __enter__(self):
        limit = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                self.get("pools/year/snapshots?limit=1")
                return self
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > limit:
                    said = Path(f"{self.folder.name}/log").read_text(errors="replace")[-2000:]
                    self.__exit__()
                    raise SystemExit(f"the manager does not start:\n{said}") from None
                time.sleep(0.1)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=STARTS_WITHIN_S)
        self.log.close()
        self.folder.cleanup()

    def open(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("GET", f"/api/v1/{path}")
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {answer.read(2000)}")
        return answer

    def get(self, path):
        return json.loads(self.open(path).read())

    def timed(self, path):
        """Median milliseconds of an answer, read whole."""
        times = []
        for _ in range(ROUNDS):
            begun = time.monotonic()
            self.open(f"pools/year/{path}").read()
            times.append((time.monotonic() - begun) * 1e3)
        return statistics.median(times)

    def pages(self, days):
        """Median milliseconds of a page of nodes of crawls all over the year, none of them asked for before."""
        times = []
        for i in range(2 * ROUNDS):
            at = (FIRST + timedelta(days=i * days // (2 * ROUNDS), hours=i, minutes=13)).strftime("%Y-%m-%dT%H:%M:%SZ")
            begun = time.monotonic()
            page = self.get(f"pools/year/nodes?at={at}&q=node7&sort=rtt_ms&order=desc&limit=200")
            times.append((time.monotonic() - begun) * 1e3)
            assert len(page["items"]) == 200 and page["total"] > 1000, page["total"]
        return statistics.median(times)

    def csv(self, columns):
        """Rows per second of ten days' nodes, and the megabytes that the manager needed more than before."""
        before, lines, begun = self.memory("VmRSS"), 0, time.monotonic()
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        path = f"pools/year/nodes.csv?from=2026-01-01T00:00:00Z&to=2026-01-{1 + CSV_DAYS:02}T00:00:00Z&columns={columns}"
        answer = self.open(path)
        while part := answer.read(1 << 20):
            lines += part.count(b"\n")
        assert lines > 100_000, lines
        return (lines - 1) / (time.monotonic() - begun), self.memory("VmHWM") - before

    def memory(self, name):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:"))) / 1024
