#!/usr/bin/env python3
"""Measures what the program exists for beside what users would pick instead, in one run.

Prints a table and writes bench/results.json: an array of
{name, unit, better, ours, peers: {name: value}, limit}. `limit` is the goal for `ours` in the same
unit, where the issue names one (a floor times 1.2, a rate), else null.
"""

import argparse
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
from pathlib import Path

import brunet
from fleet import Fleet
from peers import PEERS, Job

ROOT = Path(__file__).resolve().parent.parent
FLOOR_FACTOR = 1.2
OURS_RSS_MAX_MB = 100
CRAWL_RATE_MIN = 500
RUN_DEADLINE_S = 900


def package(size, folder):
    """A package of about `size` bytes of noise whose program writes its pid and sleeps."""
    script = (ROOT / "crates/remote/scripts/host.sh").read_bytes()
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
    """One command's wall time, CPU and peak memory, and what the servers spent meanwhile."""

    def __init__(self, fleet, command, environment):
        log = open(fleet.folder / "run.log", "wb")
        servers, children, start = fleet.server_cpu(), cpu_of_children(), time.monotonic()
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        _, status, usage = wait4(process, RUN_DEADLINE_S)
        self.wall_s = time.monotonic() - start
        self.client_cpu_s = cpu_of_children() - children
        self.server_cpu_s = fleet.server_cpu() - servers
        self.rss_mb = usage.ru_maxrss / 1024
        self.ok = status == 0
        self.log = fleet.folder / "run.log"


def wait4(process, deadline_s):
    limit = time.monotonic() + deadline_s
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = status
            return pid, status, usage
        if time.monotonic() > limit:
            process.kill()
        time.sleep(0.01)


def cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def ours(job):
    config = {
        "hosts": job.fleet.addresses,
        "port": job.fleet.port,
        "user": job.fleet.user,
        "key": str(job.fleet.key),
        "host_key": " ".join((job.fleet.folder / "host_key.pub").read_text().split()[:2]),
        "command": None if job.package else "true",
        "package": str(job.package) if job.package else None,
        "install_path": f"{job.fleet.folder}/hosts/{{host}}",
    }
    path = job.fleet.folder / "ours.json"
    path.write_text(json.dumps(config))
    return [str(ROOT / "target/release/examples/fanout"), str(path)], {}


def measure(fleet, name, tool, job, rounds):
    """The median run of `rounds`; a tool that left hosts undone is told and not ranked."""
    runs = []
    for _ in range(rounds):
        fleet.fresh()
        run = Run(fleet, *tool(job))
        done = fleet.started() if job.package else len(fleet.addresses) * run.ok
        if done != len(fleet.addresses):
            print(f"  {name}: {done} of {len(fleet.addresses)} hosts done; end of its output:", file=sys.stderr)
            print("    " + run.log.read_text(errors="replace")[-600:].replace("\n", "\n    "), file=sys.stderr)
            return None
        runs.append(run)
    runs.sort(key=lambda run: run.wall_s)
    middle = runs[len(runs) // 2]
    floor = statistics.median(run.server_cpu_s for run in runs) / os.cpu_count()
    print(
        f"  {name:14} {middle.wall_s:7.2f} s   client {middle.client_cpu_s:6.2f} CPU s {middle.rss_mb:6.0f} MB   "
        f"servers {middle.server_cpu_s:6.2f} CPU s",
        flush=True,
    )
    return middle, floor


def fan_out(hosts, rounds, only):
    """`true`, a 1 MB and a 10 MB package on every host, ours and the peers' on the same fleet."""
    results = []
    with Fleet(hosts) as fleet:
        for label, size in (("true", 0), ("install 1 MB", 1_000_000), ("install 10 MB", 10_000_000)):
            if only and only not in label:
                continue
            job = Job(fleet, *package(size, fleet.folder)) if size else Job(fleet)
            print(f"{label} on {hosts} hosts", flush=True)
            measured = {"ours": measure(fleet, "ours", ours, job, rounds)}
            for name, peer in PEERS.items():
                measured[name] = measure(fleet, name, peer, job, rounds if name != "ansible" else 1)
            results += fan_out_rows(label, hosts, measured)
    return results


def fan_out_rows(label, hosts, measured):
    mine = measured.pop("ours")
    if mine is None:
        raise SystemExit(f"{label}: ours did not finish on every host")
    peers = {name: pair[0] for name, pair in measured.items() if pair}
    # ansible's connections outlive its run, so what the servers spend on them is not in its figure
    floor = min(pair[1] for name, pair in {"ours": mine, **measured}.items() if pair and name != "ansible")
    run = mine[0]
    return [
        row(f"{label} on {hosts} ssh hosts", "s", "lower", run.wall_s, {n: p.wall_s for n, p in peers.items()} | {"floor": floor}, floor * FLOOR_FACTOR),
        row(f"{label} on {hosts} ssh hosts, client CPU", "s", "lower", run.client_cpu_s, {n: p.client_cpu_s for n, p in peers.items()}, None),
        row(f"{label} on {hosts} ssh hosts, memory", "MB", "lower", run.rss_mb, {n: p.rss_mb for n, p in peers.items()}, OURS_RSS_MAX_MB),
    ]


def crawl(nodes):
    """An overlay of real nodes in a few processes; ours only, no peer crawls this protocol."""
    command = [str(ROOT / "target/release/examples/crawl_bench"), "--nodes", str(nodes), "--json"]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=RUN_DEADLINE_S).stdout)
    print(f"crawl of {nodes} nodes: {answer}", flush=True)
    return [
        row(f"crawl of {nodes} nodes", "nodes/s per crawler core", "higher", answer["nodes_per_core_s"], {}, CRAWL_RATE_MIN),
        row("crawl, added by 10 % dead addresses", "s", "lower", answer["dead_extra_s"], {}, answer["dial_deadline_s"]),
    ]


def row(name, unit, better, value, peers, limit):
    return {
        "name": name, "unit": unit, "better": better, "ours": round(value, 3),
        "peers": {peer: round(number, 3) for peer, number in peers.items()},
        "limit": None if limit is None else round(limit, 3),
    }


def table(results):
    print(f"\n{'':48} {'ours':>9} {'limit':>9}   peers as a ratio to ours")
    for entry in results:
        mine = entry["ours"] or 1e-9
        ratios = "  ".join(f"{name} {value / mine:.2f}" for name, value in entry["peers"].items())
        limit = "" if entry["limit"] is None else f"{entry['limit']:9.2f}"
        print(f"{entry['name'][:48]:48} {entry['ours']:9.2f} {limit:>9}   {ratios}  [{entry['unit']}]")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hosts", type=int, default=200)
    arguments.add_argument("--nodes", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=3, help="the median counts")
    arguments.add_argument("--only", default="", help="part of a fan-out workload's name, `crawl` or `brunet`")
    chosen = arguments.parse_args()
    results = []
    if chosen.only not in ("crawl", "brunet"):
        results += fan_out(chosen.hosts, chosen.rounds, chosen.only)
    if chosen.only in ("", "crawl"):
        results += crawl(chosen.nodes)
    if chosen.only in ("", "brunet"):
        results += brunet.crawl(ROOT, row, RUN_DEADLINE_S)
    table(results)
    (ROOT / "bench/results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
