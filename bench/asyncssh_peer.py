"""The asyncssh peer: one connection per host, the package on standard input."""

import asyncio
import json
import sys

import asyncssh


async def one(config, limit, host, package):
    async with limit:
        async with asyncssh.connect(
            host, port=config["port"], username=config["user"], client_keys=[config["key"]],
            known_hosts=config["known_hosts"], config=None, agent_path=None, kex_algs=["curve25519-sha256"],
        ) as connection:
            done = await connection.run(config["command"], input=package, encoding=None)
            return done.exit_status == 0


async def main():
    config = json.loads(sys.argv[1])
    package = open(config["package"], "rb").read() if config["package"] else None
    limit = asyncio.Semaphore(config["at_once"])
    done = await asyncio.gather(*(one(config, limit, host, package) for host in config["hosts"]), return_exceptions=True)
    sys.exit(0 if all(ok is True for ok in done) else 1)


asyncio.run(main())
