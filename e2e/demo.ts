import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** The real program, built before; `make test` names them. */
const program = resolve(process.env['P2PPOOL_BIN'] ?? '../target/debug/p2ppool');
const node = resolve(process.env['P2PNODE_BIN'] ?? '../dist/p2pnode');
/** A debug build on a busy machine takes its time to install and crawl twelve nodes. */
const READY_MS = 300_000;
const STOP_MS = 60_000;
const OUTPUT_LINES_MAX = 200;

/** Starts `p2ppool demo` for all tests, and ends it with everything that it started. */
export default async function startDemo(): Promise<() => Promise<void>> {
  if (!existsSync(program)) throw new Error(`${program} is missing: build it, or set P2PPOOL_BIN`);
  const data = mkdtempSync(join(tmpdir(), 'p2ppool-e2e-'));
  const port = await freePort();
  const args = ['demo', '--data', data, '--port', String(port)];
  if (existsSync(node)) args.push('--node-binary', node);
  const demo = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  const said = (line: string) => {
    lines.push(line);
    if (lines.length > OUTPUT_LINES_MAX) lines.shift();
  };
  createInterface({ input: demo.stdout }).on('line', said);
  createInterface({ input: demo.stderr }).on('line', said);

  const stop = async () => {
    await end(demo);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    const password = await readPassword(demo, lines);
    process.env['E2E_URL'] = `http://127.0.0.1:${port}`;
    process.env['E2E_PASSWORD'] = password;
    process.env['E2E_DATA'] = data;
    await crawled(demo, lines);
  } catch (thrown) {
    await stop();
    throw new Error(`${String(thrown)}\n${lines.join('\n')}`);
  }
  return stop;
}

function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const server = createServer();
    server.on('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => found(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

async function readPassword(demo: ChildProcess, lines: string[]): Promise<string> {
  return until(demo, 'it printed its password', () => {
    const line = lines.find((line) => /^\s*password\s/.test(line));
    return line?.trim().split(/\s+/)[1];
  });
}

/** Every page has something to show once the nodes have found each other. */
async function crawled(demo: ChildProcess, lines: string[]): Promise<void> {
  await until(demo, 'its nodes were in one overlay', () =>
    lines.some((line) => line.includes('nodes in one overlay')) ? true : undefined,
  );
}

/** Waits until the program has said something; ends when the program does. */
function until<T>(demo: ChildProcess, what: string, look: () => T | undefined): Promise<T> {
  return new Promise((found, failed) => {
    const deadline = Date.now() + READY_MS;
    const again = () => {
      const value = look();
      if (value !== undefined) found(value);
      else if (demo.exitCode !== null) failed(new Error(`the demo ended before ${what}`));
      else if (Date.now() > deadline) failed(new Error(`${READY_MS / 1000} s went by before ${what}`));
      else setTimeout(again, 100);
    };
    again();
  });
}

/** Asks the demo to end, which stops its nodes, too; what does not end in time is killed. */
function end(demo: ChildProcess): Promise<void> {
  if (demo.exitCode !== null) return Promise.resolve();
  return new Promise((ended) => {
    const timer = setTimeout(() => demo.kill('SIGKILL'), STOP_MS);
    demo.once('exit', () => {
      clearTimeout(timer);
      ended();
    });
    demo.kill('SIGINT');
  });
}
