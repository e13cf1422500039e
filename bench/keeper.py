"""Starts the servers of a fleet and adopts whatever they leave running, so that the CPU time of all of it is known.

    python keeper.py SERVERS     a JSON list of command lines; ends, and ends them, when its standard input does

A program that outlives its session is nobody's child; the kernel gives it to this process, and its time with it.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys

PR_SET_CHILD_SUBREAPER = 36


def main():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "adopt what the servers leave running (prctl)")
    # whatever ends is reaped at once
    signal.signal(signal.SIGCHLD, reap)
    servers = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for command in json.loads(sys.argv[1])]
    print(json.dumps([server.pid for server in servers]), flush=True)
    sys.stdin.read()
    for server in servers:
        os.kill(server.pid, signal.SIGTERM)


def reap(_signal, _frame):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


main()
