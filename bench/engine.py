"""The manager itself, as a process: how fast it queues, starts, writes and tells, and what memory it takes.

No peer does this. Its hosts are closed ports of this machine: each is tried, refused, written and told, and no SSH
server's work is in the figures.
"""

import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timezone
from http.cookies import SimpleCookie
from pathlib import Path

BIG, VIEWED, SMALL = 10_000, 5_000, 5
ROUNDS = 5
# Goals of the issue.
OUTCOMES_PER_S, QUEUE_MS, START_MS, EVENT_MS, RSS_MB = 10_000, 200, 50, 1_000, 150
START_DEADLINE_S = 60


class Manager:
    """A manager on a data folder of its own."""

    def __init__(self, program, deadline_s):
        self.program, self.deadline_s = str(program), deadline_s
        self.folder = tempfile.TemporaryDirectory(prefix="p2ppool-bench-")
        log = open(Path(self.folder.name) / "log", "wb")
        # what limits connections is not what is measured
        arguments = ["--listen", "127.0.0.1:0", "--data", f"{self.folder.name}/data", "--connections-per-second", "100000"]
        self.process = subprocess.Popen(
            [self.program, "serve", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self.url = self.line("P2PPool Manager on ").split()[-1]
        password = self.line("password").split()[1]
        # whatever it prints later must not fill the pipe
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self.token = self.log_in(password)

    def line(self, part):
        limit = time.monotonic() + START_DEADLINE_S
        for line in self.process.stdout:
            if part in line:
                return line
            if time.monotonic() > limit:
                break
        raise SystemExit(f"the manager did not say `{part}`")

    def log_in(self, password):
        body = json.dumps({"name": "admin", "password": password}).encode()
        headers = {"content-type": "application/json"}
        answer = urllib.request.urlopen(urllib.request.Request(f"{self.url}/api/v1/login", body, headers))
        cookies = SimpleCookie()
        for header in answer.headers.get_all("set-cookie"):
            cookies.load(header)
        headers["cookie"] = "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())
        headers["x-csrf-token"] = cookies["p2ppool_csrf"].value
        request = urllib.request.Request(f"{self.url}/api/v1/tokens", b'{"name":"bench"}', headers)
        return json.load(urllib.request.urlopen(request))["token"]

    def open(self, path, body=None):
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers)
        return urllib.request.urlopen(request, timeout=self.deadline_s)

    def ask(self, path, body=None):
        with self.open(path, body) as answer:
            return json.load(answer)

    def pool(self, name, hosts):
        """A pool of so many addresses at which nobody listens."""
        path = Path(self.folder.name) / f"{name}.hosts"
        path.write_text("".join(f"127.20.{n // 250}.{n % 250 + 1}:1\n" for n in range(hosts)))
        trust = {**os.environ, "P2PPOOL_SERVER": self.url, "P2PPOOL_TOKEN": self.token}
        for command in (["pool", "create", name, "--hosts", str(path), "--test"], ["key", "generate", name]):
            subprocess.run([self.program, *command], env=trust, check=True, stdout=subprocess.DEVNULL)

    def ended(self, task):
        limit = time.monotonic() + self.deadline_s
        while time.monotonic() < limit:
            now = self.ask(f"tasks/{task}")
            if now["ended_at"]:
                return now
            time.sleep(0.1)
        raise SystemExit(f"task {task} did not end within {self.deadline_s} s")

    def memory_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def milliseconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp() * 1000


class Viewer(threading.Thread):
    """Reads the stream of events as a browser does, and notes how old each host's news is when it comes."""

    def __init__(self, manager, pool):
        super().__init__(daemon=True)
        self.stream = manager.open(f"events?pool={pool}")
        self.ages_ms, self.ended = [], threading.Event()
        self.start()

    def run(self):
        for line in self.stream:
            if not line.startswith(b"data:"):
                continue
            now, event = time.time() * 1000, json.loads(line[5:])
            if event["type"] == "task_hosts":
                self.ages_ms += [now - milliseconds(host["at"]) for host in event["hosts"] if host["at"]]
            if event["type"] == "task" and event["task"]["ended_at"]:
                self.ended.set()
                return


def durable_rate(root, deadline_s):
    """Outcomes a second, as the engine's writer writes them: batches, each a durable transaction of SQLite."""
    program = [str(root / "target/release/examples/outcomes")]
    answer = subprocess.run(program, check=True, stdout=subprocess.PIPE, timeout=deadline_s).stdout
    return json.loads(answer)["outcomes_per_s"]


def measure(root, row, deadline_s):
    """All of it; what is measured several times is told by its median, the age of events by its 99th percentile."""
    rate = durable_rate(root, deadline_s)
    with Manager(os.environ.get("P2PPOOL_BIN", root / "dist/p2ppool"), deadline_s) as manager:
        for name, hosts in (("big", BIG), ("viewed", VIEWED), ("small", SMALL)):
            manager.pool(name, hosts)
        starts = []
        for _ in range(ROUNDS):
            task = manager.ended(manager.ask("pools/small/gather_usage", {})["id"])
            starts.append(milliseconds(task["started_at"]) - milliseconds(task["queued_at"]))
        viewer = Viewer(manager, "viewed")
        manager.ended(manager.ask("pools/viewed/gather_usage", {})["id"])
        if not viewer.ended.wait(deadline_s):
            raise SystemExit("the viewer never heard of the task's end")
        queued, whole = [], []
        for _ in range(ROUNDS):
            begun = time.monotonic()
            task = manager.ask("pools/big/gather_usage", {})["id"]
            queued.append((time.monotonic() - begun) * 1000)
            task = manager.ended(task)
            whole.append(BIG * 1000 / (milliseconds(task["ended_at"]) - milliseconds(task["started_at"])))
        memory = manager.memory_mb()
    age = statistics.quantiles(viewer.ages_ms, n=100)[-1]
    rows = [
        row("engine, outcomes written durably", "hosts/s", "higher", rate, {}, OUTCOMES_PER_S),
        row("engine, refused hosts of a whole task", "hosts/s", "higher", statistics.median(whole), {}, None),
        row(f"engine, queue a task on {BIG} hosts", "ms", "lower", statistics.median(queued), {}, QUEUE_MS),
        row("engine, start of a queued task", "ms", "lower", statistics.median(starts), {}, START_MS),
        row(f"engine, age of events at {VIEWED} hosts", "ms", "lower", age, {}, EVENT_MS),
        row(f"engine, memory at {BIG} hosts", "MB", "lower", memory, {}, RSS_MB),
    ]
    for entry in rows:
        print(f"  {entry['name']}: {entry['ours']} {entry['unit']}", flush=True)
    return rows
