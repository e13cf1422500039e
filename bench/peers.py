"""What users would pick instead, as command lines on one fleet. Each does the same work on the hosts."""

import json
from pathlib import Path

FAN_OUT = 32
ASYNCSSH_FAN_OUT = 64
ANSIBLE_FORKS = 50

# One shell program on the host: the package comes by standard input, is verified, unpacked and started.
INSTALL = (
    'set -e; set -- $SSH_CONNECTION; d=$FLEET/$3; cd "$d"; cat > p.tgz.tmp; '
    'echo "{digest}  p.tgz.tmp" | sha256sum -c --status; mv p.tgz.tmp p.tgz; tar xzf p.tgz; '
    'HOST_FOLDER=$d setsid sh ./node/start >/dev/null 2>&1 </dev/null &'
)


class Job:
    """`true`, or the installation of `package` (a path), on every host of a fleet."""

    def __init__(self, fleet, package=None, digest=""):
        self.fleet, self.package = fleet, package
        self.command = INSTALL.replace("{digest}", digest) if package else "true"
        self.digest = digest
        self.hosts = fleet.folder / "hosts.txt"
        self.hosts.write_text("\n".join(fleet.addresses) + "\n")


def xargs(job):
    ssh = f"ssh -F {job.fleet.folder}/ssh_config {{}} '{job.command}'" if not job.package else (
        f"ssh -F {job.fleet.folder}/ssh_config {{}} \"$COMMAND\" < {job.package}"
    )
    return ["sh", "-c", f"xargs -P{FAN_OUT} -I{{}} sh -c {quoted(ssh)} < {job.hosts}"], {"COMMAND": job.command}


def pssh(job):
    options = ["-h", str(job.hosts), "-p", str(FAN_OUT), "-t", "0", "-x", f"-F {job.fleet.folder}/ssh_config"]
    if job.package:
        return ["sh", "-c", f'parallel-ssh -I {" ".join(map(quoted, options))} "$COMMAND" < {job.package}'], {
            "COMMAND": job.command
        }
    return ["parallel-ssh", *options, job.command], {}


def clush(job):
    options = f"-f {FAN_OUT} -t 10 -q -o '-F {job.fleet.folder}/ssh_config' --hostfile {job.hosts}"
    source = f"< {job.package}" if job.package else "-n < /dev/null"
    return ["sh", "-c", f'clush {options} "$COMMAND" {source}'], {"COMMAND": job.command}


def asyncssh(job):
    program = Path(__file__).with_name("asyncssh_peer.py")
    config = {
        "hosts": job.fleet.addresses,
        "port": job.fleet.port,
        "user": job.fleet.user,
        "key": str(job.fleet.key),
        "known_hosts": str(job.fleet.known_hosts),
        "command": job.command,
        "package": str(job.package) if job.package else None,
        "at_once": ASYNCSSH_FAN_OUT,
    }
    return ["python", str(program), json.dumps(config)], {}


def pyinfra(job):
    folder = job.fleet.folder
    hosts = [(a, {"ssh_port": job.fleet.port, "ssh_user": job.fleet.user, "ssh_key": str(job.fleet.key),
                  "ssh_known_hosts_file": str(job.fleet.known_hosts)}) for a in job.fleet.addresses]
    (folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    if job.package:
        command = job.command.replace("cat > p.tgz.tmp; ", "")
        (folder / "deploy.py").write_text(
            "from pyinfra import host\nfrom pyinfra.operations import files, server\n"
            f"files.put(src={str(job.package)!r}, dest='{folder}/hosts/' + host.name + '/p.tgz.tmp')\n"
            f"server.shell(commands=[{command!r}])\n"
        )
        return ["pyinfra", "-y", "--parallel", str(FAN_OUT), str(folder / "inventory.py"), str(folder / "deploy.py")], {}
    return ["pyinfra", "-y", "--parallel", str(FAN_OUT), str(folder / "inventory.py"), "exec", "--", "true"], {}


def ansible(job):
    folder = job.fleet.folder
    (folder / "inventory.ini").write_text("[all]\n" + "\n".join(job.fleet.addresses) + "\n")
    (folder / "ansible.cfg").write_text(
        f"[defaults]\nforks={ANSIBLE_FORKS}\ngathering=explicit\nremote_user={job.fleet.user}\n"
        f"interpreter_python=/usr/bin/python3\nremote_tmp={folder}/home/ansible\n"
        "[ssh_connection]\npipelining=True\n"
        f"ssh_args=-F {folder}/ssh_config -o ControlMaster=auto -o ControlPersist=60s -o ControlPath={folder}/cp-%h\n"
    )
    if job.package:
        command = job.command.replace("cat > p.tgz.tmp; ", "")
        tasks = [
            {"ansible.builtin.copy": {"src": str(job.package),
                                      "dest": f"{folder}/hosts/{{{{ inventory_hostname }}}}/p.tgz.tmp"}},
            {"ansible.builtin.shell": command},
        ]
    else:
        tasks = [{"ansible.builtin.command": "true"}]
    (folder / "play.json").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return ["ansible-playbook", "-i", str(folder / "inventory.ini"), str(folder / "play.json")], {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg")
    }


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


PEERS = {
    "xargs -P ssh": xargs,
    "pssh": pssh,
    "clush": clush,
    "pyinfra": pyinfra,
    "asyncssh": asyncssh,
    "ansible": ansible,
}
