import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { expect, request, type APIRequestContext } from '@playwright/test';

import { freePort, startManager, type Manager } from './manager';
import { startSshd, type Sshd } from './sshd';

const SOURCES = resolve('../crates/manager/tests/fake_brunet');
/** Mono starts slowly on a busy machine. */
const TASK_MS = 120_000;
const FORMING_MS = 120_000;

/** A Brunet pool whose nodes carry two IPOP networks, crawled when it is complete. */
export interface MixedPool {
  manager: Manager;
  /** The API as the first administrator. */
  api: APIRequestContext;
  stop(): Promise<void>;
}

/** Nodes of the host that carry each network, and the manager's own that carries none. */
export const MIXED = { grid: 3, lab: 2, none: 1 };
export const ALL = MIXED.grid + MIXED.lab + MIXED.none;

/**
 * Starts a manager, a host and a pool on it: the small Brunet node of the Rust tests is compiled, uploaded and deployed
 * by SSH, runs on Mono, and is crawled by XML-RPC until its ring is complete.
 */
export async function startMixedPool(name: string): Promise<MixedPool> {
  const [manager, sshd] = await Promise.all([startManager(), startSshd()]);
  const api = await asAdmin(manager);
  let installed = false;
  const stop = async () => {
    try {
      if (installed) await task(api, name, 'stop');
    } finally {
      await api.dispose();
      await manager.stop();
      await sshd.stop();
    }
  };
  try {
    const digest = await make(api, sshd, name);
    installed = true;
    await task(api, name, 'install', { bundle: digest });
    await complete(api, name);
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return { manager, api, stop };
}

/** The pool and its key are made; the digest of its software. */
async function make(api: APIRequestContext, sshd: Sshd, name: string): Promise<string> {
  // What nodes say of their place is not believed; that of their addresses is.
  const places = await api.put('/api/v1/geo/overrides', {
    headers: { 'content-type': 'text/csv' },
    data: '192.0.2.0/24,52.5,13.4,Berlin,DE\n198.51.100.0/24,40.7,-74.0,New York,US\n',
  });
  expect(places.status(), await places.text()).toBe(200);
  const made = await api.post('/api/v1/pools', {
    data: {
      name,
      kind: 'brunet',
      // What makes the nodes carry two networks, and listen on loopback addresses alone.
      namespace: 'mixed',
      hosts: `${sshd.user}@127.0.0.1:${sshd.port}\n`,
      install_path: join(sshd.folder, 'pool'),
      ports: { udp: await freePort(), tcp: null, rpc: await freePort() },
      brunet: { nodes_per_host: MIXED.grid + MIXED.lab, local_network: 'host' },
    },
  });
  expect(made.status(), await made.text()).toBe(201);
  const key = await api.post(`/api/v1/pools/${name}/key/generate`);
  sshd.authorize(((await key.json()) as { public_key: string }).public_key);
  const uploaded = await api.post('/api/v1/bundles?name=brunet.tar.gz', {
    headers: { 'content-type': 'application/octet-stream' },
    data: bundle(),
  });
  expect(uploaded.status(), await uploaded.text()).toBe(201);
  return ((await uploaded.json()) as { digest: string }).digest;
}

/** Crawls until every node answers: they meet in their own time. */
async function complete(api: APIRequestContext, name: string): Promise<void> {
  const deadline = Date.now() + FORMING_MS;
  for (;;) {
    await task(api, name, 'crawl');
    const { total } = (await (await api.get(`/api/v1/pools/${name}/nodes?status=answering`)).json()) as {
      total: number;
    };
    if (total === ALL) return;
    if (Date.now() > deadline) throw new Error(`${total} of ${ALL} nodes answer`);
  }
}

/** Runs an action to its end, which must be a good one. */
export async function task(
  api: APIRequestContext,
  pool: string,
  action: string,
  data: object = {},
): Promise<void> {
  const asked = await api.post(`/api/v1/pools/${pool}/${action}`, { data });
  expect(asked.status(), await asked.text()).toBe(202);
  const { id } = (await asked.json()) as { id: number };
  let now = { state: '', message: '', ended_at: null };
  const read = async () => {
    now = await (await api.get(`/api/v1/tasks/${id}`)).json();
    return now.ended_at;
  };
  await expect.poll(read, { timeout: TASK_MS }).not.toBeNull();
  const { items } = (await (await api.get(`/api/v1/tasks/${id}/hosts`)).json()) as {
    items: { message: string }[];
  };
  expect(now.state, `${action}: ${now.message} ${items.map((host) => host.message).join('; ')}`).toBe(
    'succeeded',
  );
}

async function asAdmin(manager: Manager): Promise<APIRequestContext> {
  const login = await request.newContext({ baseURL: manager.url });
  await login.post('/api/v1/login', { data: { name: 'admin', password: manager.password } });
  const csrf = (await login.storageState()).cookies.find(({ name }) => name === 'p2ppool_csrf')?.value ?? '';
  const made = await login.post('/api/v1/tokens', {
    data: { name: 'e2e' },
    headers: { 'x-csrf-token': csrf },
  });
  const { token } = (await made.json()) as { token: string };
  await login.dispose();
  return request.newContext({ baseURL: manager.url, extraHTTPHeaders: { authorization: `Bearer ${token}` } });
}

/** Compiles the node and packs it. */
function bundle(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'p2ppool-e2e-brunet-'));
  const run = (program: string, ...args: string[]) => {
    const ran = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
    if (ran.status !== 0)
      throw new Error(`${program} ${args.join(' ')}: ${ran.error?.message ?? ran.stdout + ran.stderr}`);
  };
  const [overlay, server] = ['Brunet.dll', 'Brunet.Services.XmlRpc.dll'];
  try {
    run('mcs', '-nologo', '-target:library', `-out:${overlay}`, join(SOURCES, 'Overlay.cs'));
    const needs = [`-r:${overlay}`, '-r:System.Xml.dll'];
    run('mcs', '-nologo', '-target:library', `-out:${server}`, ...needs, join(SOURCES, 'XmlRpc.cs'));
    const more = [...needs, `-r:${server}`, '-r:Mono.Posix.dll', '-define:NEW'];
    run('mcs', '-nologo', '-out:P2PNode.exe', ...more, join(SOURCES, 'Node.cs'));
    run('tar', 'czf', 'brunet.tar.gz', 'P2PNode.exe', overlay, server);
    return readFileSync(join(folder, 'brunet.tar.gz'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
