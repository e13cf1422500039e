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
  /** Ends the program at once, as a machine that loses its power does. */
  kill(): Promise<void>;
  /** Starts it again with the same data at the same address. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts `p2ppool serve` with an empty store on a free port; `stop` ends it and deletes everything. */
export async function startManager(...args: string[]): Promise<Manager> {
  const data = mkdtempSync(join(tmpdir(), 'p2ppool-e2e-serve-'));
  const port = await freePort();
  const start = () =>
    spawn(program, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  let child = start();
  const url = `http://127.0.0.1:${port}`;
  const kill = async () => {
    const gone = new Promise((go) => child.once('exit', go));
    child.kill('SIGKILL');
    await gone;
  };
  const restart = async () => {
    child = start();
    child.stdout?.resume();
    child.stderr?.resume();
    await answers(url, child);
  };
  const stop = async () => {
    await end(child);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    return { url, password: await readPassword(child), data, kill, restart, stop };
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

/** It answers, whatever it answers. */
async function answers(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (child.exitCode === null && Date.now() < deadline) {
    const answered = await fetch(`${url}/api/v1/health`).then(
      () => true,
      () => new Promise<boolean>((go) => setTimeout(() => go(false), 100)),
    );
    if (answered) return;
  }
  throw new Error(`${url} does not answer (exit status ${child.exitCode})`);
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
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((ended) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.once('exit', () => {
      clearTimeout(timer);
      ended();
    });
    child.kill('SIGINT');
  });
}
