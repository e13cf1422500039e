"""The crawl of a Brunet ring: no peer, but the original's own figures on the same rings."""

import json
import subprocess

# A ring of 400 real nodes: the original's crawler needed 1.1 s and a thread per node, and 44 s more when nodes were dead.
ORIGINAL_S = 1.1
ORIGINAL_DEAD_EXTRA_S = 44
CRAWL_MAX_S = 1
NODES = 400


def crawl(root, row, deadline_s):
    """A ring of 400 behind a server that answers as a real local node does; with and without dead ones."""
    command = [str(root / "target/release/examples/brunet_bench"), str(NODES)]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=deadline_s).stdout)
    print(f"crawl of a Brunet ring: {answer}", flush=True)
    dead = f"Brunet crawl, added by {answer['dead_percent']} % dead nodes"
    return [
        row(f"crawl of a Brunet ring of {NODES}", "s", "lower", answer["seconds"], {"original": ORIGINAL_S}, CRAWL_MAX_S),
        row(dead, "s", "lower", answer["dead_extra_s"], {"original": ORIGINAL_DEAD_EXTRA_S}, 2 * answer["call_deadline_s"]),
    ]
