"""`true`, and the installation of a package, on every host: ours and the peers' in turns on the same fleet."""

import hashlib
import io
import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tarfile
import time

from fleet import Fleet
from peers import PEERS, Job

FLOOR_FACTOR = 1.2
OURS_RSS_MAX_MB = 100
# All hosts share the cores here, so more at once would only cost memory; peers have 32 to 64, see peers.py.
OURS_WORKING = 64
# Name, bytes of the package, and how often it is measured.
WORKLOADS = (("true", 0, 3), ("install 1 MB", 1_000_000, 3), ("install 10 MB", 10_000_000, 2))
# A tool that takes longer than this is not ahead of anybody by chance: once is enough.
REPEAT_BELOW_S = 60


def measure(root, row, deadline_s, hosts, rounds, only):
    """Rows of results for each workload; `rounds` (0: as many as the workload wants) and `only` make it smaller."""
    results = []
    with Fleet(hosts) as fleet:
        for label, size, usual_rounds in WORKLOADS:
            if only not in label:
                continue
            job = Job(fleet, *package(root, size, fleet.folder)) if size else Job(fleet)
            print(f"{label} on {hosts} hosts", flush=True)
            runs = in_turns(fleet, job, tools(root), rounds or usual_rounds, deadline_s)
            results += fan_out_rows(row, f"{label} on {hosts} ssh hosts", runs)
    return results


def tools(root):
    """Command lines by name, ours first."""
    return {"ours": lambda job: ours(root, job), **PEERS}


def ours(root, job):
    config = {
        "hosts": job.fleet.addresses,
        "port": job.fleet.port,
        "user": job.fleet.user,
        "key": str(job.fleet.key),
        "host_key": " ".join((job.fleet.folder / "host_key.pub").read_text().split()[:2]),
        "command": None if job.package else "true",
        "package": str(job.package) if job.package else None,
        "install_path": f"{job.fleet.folder}/hosts/{{host}}",
        "working": OURS_WORKING,
    }
    path = job.fleet.folder / "ours.json"
    path.write_text(json.dumps(config))
    return [str(root / "target/release/examples/fanout"), str(path)], {}


def package(root, size, folder):
    """A package of about `size` bytes of noise whose program writes its pid and sleeps."""
    script = (root / "crates/remote/scripts/host.sh").read_bytes()
    files = {
        "host.sh": (0o755, script),
        "run": (0o755, b'echo $$ > "$SHARED/../started.pid"; exec sleep 900\n'),
        "ready": (0o755, b'[ -s "$SHARED/../started.pid" ]\n'),
        "stop_signal": (0o644, b"TERM\n"),
        "node/start": (0o755, b'echo $$ > "$HOST_FOLDER/started.pid"; exec sleep 900\n'),
        "node/noise": (0o644, secrets.token_bytes(size)),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name, (mode, content) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    path = folder / f"package-{size}.tgz"
    path.write_bytes(packed.getvalue())
    return path, hashlib.sha256(packed.getvalue()).hexdigest()


class Run:
    """One command's wall time, CPU and peak memory, and what the hosts spent on it."""

    def __init__(self, fleet, job, command, environment, deadline_s):
        fleet.fresh()
        self.log = fleet.folder / "run.log"
        servers, left, children = fleet.server_cpu(), fleet.left_cpu(), cpu_of_children()
        start = time.monotonic()
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        status, usage = wait4(process, deadline_s)
        self.wall_s = time.monotonic() - start
        self.client_cpu_s = cpu_of_children() - children
        self.rss_mb = usage.ru_maxrss / 1024
        self.done = fleet.started() if job.package else len(fleet.addresses) * (status == 0)
        # only what has ended tells its time
        fleet.end_nodes()
        self.sessions_cpu_s = fleet.server_cpu() - servers
        self.hosts_cpu_s = self.sessions_cpu_s + fleet.left_cpu() - left

    def __str__(self):
        return (
            f"{self.wall_s:7.2f} s   client {self.client_cpu_s:6.2f} CPU s {self.rss_mb:6.0f} MB   "
            f"hosts {self.hosts_cpu_s:6.2f} CPU s, of it sessions {self.sessions_cpu_s:6.2f}"
        )


def wait4(process, deadline_s):
    limit = time.monotonic() + deadline_s
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = status
            return status, usage
        if time.monotonic() > limit:
            process.kill()
        time.sleep(0.005)


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def in_turns(fleet, job, commands, rounds, deadline_s):
    """Runs by tool; one that leaves a host undone is told, and not ranked."""
    runs = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            if number and (name not in runs or runs[name][0].wall_s > REPEAT_BELOW_S):
                continue
            run = Run(fleet, job, *command(job), deadline_s)
            print(f"  {name:14} {run}", flush=True)
            if run.done == len(fleet.addresses):
                runs[name].append(run)
                continue
            del runs[name]
            print(f"  {name}: {run.done} of {len(fleet.addresses)} hosts done; end of its output:", file=sys.stderr)
            print("    " + run.log.read_text(errors="replace")[-600:].replace("\n", "\n    "), file=sys.stderr)
    if "ours" not in runs:
        raise RuntimeError("ours did not finish on every host")
    return runs


def fan_out_rows(row, label, runs):
    def medians(value):
        return {name: statistics.median(value(run) for run in of_one) for name, of_one in runs.items()}

    def entry(what, unit, value, limit, **more):
        peers = medians(value)
        return row(label + what, unit, "lower", peers.pop("ours"), peers | more, limit)

    hosts_cpu_s = medians(lambda run: run.hosts_cpu_s)
    floors = {
        "floor": floor_of(hosts_cpu_s),
        "floor of the sessions": floor_of(medians(lambda run: run.sessions_cpu_s)),
        "floor of what ours does": floor_of({"ours": hosts_cpu_s["ours"]}),
    }
    return [
        entry("", "s", lambda run: run.wall_s, floors["floor"] * FLOOR_FACTOR, **floors),
        entry(", client CPU", "s", lambda run: run.client_cpu_s, None),
        entry(", CPU of the hosts", "s", lambda run: run.hosts_cpu_s, None),
        entry(", memory", "MB", lambda run: run.rss_mb, OURS_RSS_MAX_MB),
    ]


def floor_of(cpu_s):
    """Seconds that the machine needs for the hosts' part alone, in the way that costs them least.

    Ansible's connections outlive its run, so what the hosts spend on them is not in its figure.
    """
    return min(seconds for name, seconds in cpu_s.items() if name != "ansible") / os.cpu_count()
