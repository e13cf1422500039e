"""The crawl of an overlay of real nodes in a few processes; ours only, no peer crawls this protocol."""

import json
import subprocess

RATE_MIN = 500


def measure(root, row, deadline_s, nodes):
    """The rate per crawler core, and what dead addresses add."""
    command = [str(root / "target/release/examples/crawl_bench"), "--nodes", str(nodes), "--json"]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=deadline_s).stdout)
    print(f"crawl of {nodes} nodes: {answer}", flush=True)
    dead = "crawl, added by 10 % dead addresses"
    return [
        row(f"crawl of {nodes} nodes", "nodes/s per crawler core", "higher", answer["nodes_per_core_s"], {}, RATE_MIN),
        row(dead, "s", "lower", answer["dead_extra_s"], {}, answer["dial_deadline_s"]),
    ]
