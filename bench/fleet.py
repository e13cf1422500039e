"""A fleet of loopback hosts: real OpenSSH servers whose addresses 127.10.x.y are N distinct hosts.

One sshd can listen on at most 16 addresses, so N hosts need N/16 servers. Every host has its own
folder, found by the session through the server address in $SSH_CONNECTION.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ADDRESSES_PER_SERVER = 16
START_DEADLINE_S = 20
# What 200 hosts with a package of 10 MB take, packed and unpacked, and as much again.
MEMORY_MIN_BYTES = 8 << 30
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def roomy_memory():
    """A file system in memory when there is one with room; no tool is to be measured by the disk."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > MEMORY_MIN_BYTES:
        return memory
    return None


def cpu_seconds(pid):
    """User and system time of a process and its reaped children, in seconds (proc(5), fields 14-17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return sum(int(value) for value in fields[11:15]) / CLOCK_TICKS


class Fleet:
    """Starts the servers on entry, ends exactly those on exit."""

    def __init__(self, size):
        self.addresses = [f"127.10.{i // 250}.{i % 250 + 1}" for i in range(size)]
        self.folder = Path(tempfile.mkdtemp(prefix="p2ppool-bench-", dir=roomy_memory()))
        self.port = free_port()
        self.user = os.environ.get("USER") or "root"
        self.key = self.folder / "client_key"
        self.known_hosts = self.folder / "known_hosts"
        self.keeper = None
        self.servers = []
        self.used = 0

    def __enter__(self):
        self._keys()
        commands = [
            self._server(start // ADDRESSES_PER_SERVER, self.addresses[start : start + ADDRESSES_PER_SERVER])
            for start in range(0, len(self.addresses), ADDRESSES_PER_SERVER)
        ]
        program = [sys.executable, str(Path(__file__).with_name("keeper.py")), json.dumps(commands)]
        self.keeper = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.servers = json.loads(self.keeper.stdout.readline())
        for address in self.addresses:
            self._await(address)
        return self

    def __exit__(self, *_):
        self.end_nodes()
        self.keeper.stdin.close()
        self.keeper.wait(timeout=START_DEADLINE_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _keys(self):
        for name in ("client_key", "host_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)], check=True
            )
        shutil.copy(self.folder / "client_key.pub", self.folder / "authorized_keys")
        algorithm, key = (self.folder / "host_key.pub").read_text().split()[:2]
        self.known_hosts.write_text("".join(f"[{a}]:{self.port} {algorithm} {key}\n" for a in self.addresses))
        (self.folder / "home").mkdir()
        (self.folder / "ssh_config").write_text(
            f"Host *\n  Port {self.port}\n  User {self.user}\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.known_hosts}\n  StrictHostKeyChecking yes\n  BatchMode yes\n"
            "  KexAlgorithms curve25519-sha256\n  LogLevel ERROR\n"
        )

    def _server(self, number, addresses):
        """Writes a server's settings; its command line."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self.folder / f"sshd_config.{number}"
        listen = "".join(f"ListenAddress {address}\n" for address in addresses)
        config.write_text(
            f"Port {self.port}\n{listen}HostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n"
            "PasswordAuthentication no\nMaxStartups 1000\nMaxSessions 100\nPrintMotd no\nPerSourceMaxStartups none\n"
            f"SetEnv HOME={self.folder}/home FLEET={self.folder}/hosts\n"
            "Subsystem sftp internal-sftp\nLogLevel ERROR\n"
        )
        log = self.folder / f"sshd.{number}.log"
        return ["/usr/sbin/sshd", "-D", "-f", str(config), "-E", str(log)]

    def _await(self, address):
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                socket.create_connection((address, self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def server_cpu(self):
        """CPU seconds that the servers and their ended sessions have used."""
        return sum(cpu_seconds(server) for server in self.servers)

    def left_cpu(self):
        """CPU seconds of what outlived its session and has ended since, such as the programs that were installed."""
        return cpu_seconds(self.keeper.pid)

    def fresh(self):
        """Gives every host an empty folder, ending what runs in the one before.

        Files are only emptied, not deleted: for some minutes after many were deleted, ext4 (where
        there is no room in memory) searches long for each file that is created.
        """
        self.end_nodes()
        if (self.folder / "hosts").exists():
            old = self.folder / f"used.{self.used}"
            self.used += 1
            (self.folder / "hosts").rename(old)
            for file in old.glob("**/*"):
                if file.is_file():
                    os.truncate(file, 0)
        for address in self.addresses:
            (self.folder / "hosts" / address).mkdir(parents=True)

    def started(self):
        """Hosts on which the package's program really runs, by the pid files that it wrote."""
        return sum(1 for pid in self._pids() if Path(f"/proc/{pid}").exists())

    def end_nodes(self):
        """Ends the programs that were started on the hosts and what watches over them, and waits until they are gone."""
        deadline = time.monotonic() + START_DEADLINE_S
        while (left := self._of_hosts()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        while len(self._adopted()) > len(self.servers) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _adopted(self):
        """Children of the keeper: the servers, and what outlived its session and has not ended."""
        return Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text().split()

    def _of_hosts(self):
        """Processes that name this fleet's own hosts folder, or that a host's pid file names."""
        folder = os.fsencode(self.folder / "hosts")
        found = {pid for pid in self._pids() if Path(f"/proc/{pid}").exists()}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if folder in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:
                continue
        return found - {os.getpid()}

    def _pids(self):
        for file in (self.folder / "hosts").glob("*/started.pid"):
            text = file.read_text().strip()
            if text:
                yield int(text)
