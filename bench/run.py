#!/usr/bin/env python3
"""Measures what the program exists for beside what users would pick instead, in one run.

Prints a table and writes bench/results.json: an array of
{name, unit, better, ours, peers: {name: value}, limit}. `limit` is the goal for `ours` in the same
unit, where there is one (a floor times 1.2, a rate), else null.
"""

import argparse
import json
import sys
import time
import traceback
from pathlib import Path

import brunet
import crawl
import engine
import fan_out
import history
import simulated
import web

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results.json"
RUN_DEADLINE_S = 900

# Parts in the order in which they run: each gets (root, row, deadline_s) and returns rows; see README.md.
PARTS = {
    "fan-out": lambda *use: fan_out.measure(*use, CHOSEN.hosts, CHOSEN.rounds, fan_out_only()),
    "crawl": lambda *use: crawl.measure(*use, CHOSEN.nodes),
    "simulated": simulated.crawl,
    "brunet": brunet.crawl,
    "engine": engine.measure,
    "web": web.measure,
    "history": lambda *use: history.year(*use, CHOSEN.days),
}


def row(name, unit, better, value, peers, limit):
    return {
        "name": name, "unit": unit, "better": better, "ours": round(value, 3),
        "peers": {peer: round(number, 3) for peer, number in peers.items()},
        "limit": None if limit is None else round(limit, 3),
    }


def missed(entry):
    """It has a limit, and ours is on the wrong side of it."""
    sign = 1 if entry["better"] == "lower" else -1
    return entry["limit"] is not None and sign * entry["ours"] > sign * entry["limit"]


def table(results):
    print(f"\n{'':64} {'ours':>10} {'limit':>9}   peers as a ratio to ours")
    for entry in results:
        mine = entry["ours"] or 1e-9
        ratios = "  ".join(f"{name} {value / mine:.2f}" for name, value in entry["peers"].items())
        limit = "" if entry["limit"] is None else f"{entry['limit']:9.2f}"
        mark = "  MISSED" if missed(entry) else ""
        print(f"{entry['name'][:64]:64} {entry['ours']:10.2f} {limit:>9}   {ratios}  [{entry['unit']}]{mark}")


def fan_out_only():
    return CHOSEN.only if any(CHOSEN.only in label for label, *_ in fan_out.WORKLOADS) else ""


def chosen_parts():
    """By name; a part of a fan-out workload's name chooses that."""
    if not CHOSEN.only:
        return list(PARTS)
    if CHOSEN.only in PARTS:
        return [CHOSEN.only]
    if fan_out_only():
        return ["fan-out"]
    raise SystemExit(f"--only {CHOSEN.only}: no part and no workload is called so; parts: {', '.join(PARTS)}")


def kept(results, others):
    """What was measured now, in place of what is known by the same name."""
    new = {entry["name"] for entry in results}
    return [entry for entry in others if entry["name"] not in new] + results


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365, help="of history")
    parser.add_argument("--rounds", type=int, default=0, help="of each workload of the fan-out; the median counts")
    parser.add_argument("--only", default="", help="a part, or some of the name of a fan-out workload (`10 MB`)")
    return parser.parse_args()


def main():
    began = time.monotonic()
    before = json.loads(RESULTS.read_text()) if CHOSEN.only and RESULTS.exists() else []
    results, failed = [], []
    for name in chosen_parts():
        try:
            results += PARTS[name](ROOT, row, RUN_DEADLINE_S)
        except Exception:
            # the other parts are worth having
            traceback.print_exc()
            failed.append(name)
        # at once: nothing that was measured is lost
        RESULTS.write_text(json.dumps(kept(results, before), indent=1) + "\n")
    table(results)
    print(f"\n{time.monotonic() - began:.0f} s; {RESULTS} has {len(kept(results, before))} rows")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    CHOSEN = arguments()
    main()
