import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const program = resolve(process.env['P2PPOOL_BIN'] ?? '../target/debug/p2ppool');
const fill = resolve(process.env['FILL_STORE_BIN'] ?? '../target/debug/examples/fill_store');
/** Pools by name, with the nodes of their newest crawl. */
const POOLS = { big: '100000', ring: '10000', small: '1000' };
const READY_MS = 120_000;

/** Starts a manager whose store has crawls with very many nodes. */
export default async function startBig(): Promise<() => Promise<void>> {
  const data = mkdtempSync(join(tmpdir(), 'p2ppool-big-'));
  for (const [pool, nodes] of Object.entries(POOLS)) {
    const filled = spawnSync(fill, [`sqlite:${join(data, 'p2ppool.db')}`, nodes, pool], { encoding: 'utf8' });
    if (filled.status !== 0) throw new Error(`${fill}: ${filled.error?.message ?? filled.stderr}`);
  }
  const port = process.env['BIG_PORT'] ?? '18099';
  const manager = spawn(program, ['serve', '--data', data, '--listen', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const password = await new Promise<string>((found, failed) => {
    const timer = setTimeout(() => failed(new Error(lines.join('\n'))), READY_MS);
    const read = (line: string) => {
      lines.push(line);
      const said = /password\s+(\S+)/.exec(line)?.[1];
      if (!said) return;
      clearTimeout(timer);
      found(said);
    };
    createInterface({ input: manager.stdout }).on('line', read);
    createInterface({ input: manager.stderr }).on('line', read);
    manager.on('exit', () => failed(new Error(lines.join('\n'))));
  });
  process.env['E2E_URL'] = `http://127.0.0.1:${port}`;
  process.env['E2E_PASSWORD'] = password;
  return async () => {
    const ended = new Promise((go) => manager.once('exit', go));
    manager.kill('SIGINT');
    await ended;
    rmSync(data, { recursive: true, force: true });
  };
}
