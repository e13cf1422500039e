import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const program = resolve(process.env['P2PPOOL_BIN'] ?? '../target/debug/p2ppool');
/** A debug build on a busy machine takes its time to make its database. */
const READY_MS = 120_000;
const STOP_MS = 60_000;

/** A manager of one test, beside the demo of all. */
export interface Manager {
  url: string;
  password: string;
  data: string;
  stop(): Promise<void>;
}

/** Starts `p2ppool serve` with an empty store on a free port; `stop` ends it and deletes everything. */
export async function startManager(...args: string[]): Promise<Manager> {
  const data = mkdtempSync(join(tmpdir(), 'p2ppool-e2e-serve-'));
  const port = await freePort();
  const child = spawn(program, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async () => {
    await end(child);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    return { url: `http://127.0.0.1:${port}`, password: await readPassword(child), data, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

export function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.on('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** It listens when it prints the password of its first administrator. */
function readPassword(child: ChildProcess): Promise<string> {
  const lines: string[] = [];
  return new Promise((found, failed) => {
    const timer = setTimeout(() => failed(new Error(`no password in ${READY_MS} ms: ${lines.join('\n')}`)), READY_MS);
    const read = (line: string) => {
      lines.push(line);
      const said = /password\s+(\S+)/.exec(line)?.[1];
      if (!said) return;
      clearTimeout(timer);
      found(said);
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', read);
    }
    child.once('exit', () => {
      clearTimeout(timer);
      failed(new Error(`it ended before it listened: ${lines.join('\n')}`));
    });
  });
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((ended) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      ended();
    });
    child.kill('SIGINT');
  });
}
