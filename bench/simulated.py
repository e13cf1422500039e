"""The crawl engine over an overlay of which only the arithmetic exists; nearly a third of it is dead."""

import json
import subprocess

NODES = 100_000
DEAD_PERCENT = 30
MEMORY_MAX_MB = 300
# Dead nodes that are waited for, so many at once, for the dial deadline: no crawl can be faster.
FLOOR_FACTOR = 1.5


def crawl(root, row, deadline_s):
    """Time beside what waiting for the dead takes alone, and memory beside what the overlay itself takes."""
    program = str(root / "target/release/examples/crawl_bench")
    command = [program, "--simulated", str(NODES), "--dead", str(DEAD_PERCENT)]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=deadline_s).stdout)
    print(f"crawl of a simulated overlay: {answer}", flush=True)
    name = f"crawl of {NODES} simulated nodes, {DEAD_PERCENT} % dead"
    floor = answer["waiting_s"]
    return [
        row(name, "s", "lower", answer["seconds"], {"waiting for the dead": floor}, floor * FLOOR_FACTOR),
        row(f"{name}, memory", "MB", "lower", answer["peak_mib"] - answer["overlay_mib"], {}, MEMORY_MAX_MB),
    ]
