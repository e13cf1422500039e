import { expect, test, type Page } from '@playwright/test';

import { ALL, MIXED, startMixedPool, type MixedPool } from './brunet';

const POOL = 'mixed';
const LOCATED = MIXED.grid + MIXED.lab;

let world: MixedPool;
test.beforeAll(async () => {
  test.setTimeout(400_000);
  world = await startMixedPool(POOL);
});
test.afterAll(async () => {
  test.setTimeout(240_000);
  await world?.stop();
});
test.beforeEach(async ({ page }) => {
  const { url, password } = world.manager;
  const answer = await page.request.post(`${url}/api/v1/login`, { data: { name: 'admin', password } });
  expect(answer.status()).toBe(200);
});

const go = (page: Page, path: string) => page.goto(`${world.manager.url}/pools/${POOL}/${path}`);

test('the map shows one of the networks of a Brunet pool, keeps it in its address, and takes it to the table', async ({
  page,
}) => {
  await go(page, 'map');
  const canvas = page.locator('canvas');
  await expect(canvas).toHaveAttribute('data-nodes', `${LOCATED}`);
  const choice = page.getByRole('combobox', { name: 'Namespace' });
  await expect(choice.getByRole('option')).toHaveText([/namespace/i, /^grid/, /^lab/]);
  await choice.selectOption('lab');
  await expect(page).toHaveURL(/\?namespace=lab$/);
  await expect(canvas).toHaveAttribute('data-nodes', `${MIXED.lab}`);
  await expect(page.getByText(`${MIXED.lab} of ${LOCATED} located nodes in lab`)).toBeVisible();
  await page.reload();
  await expect(choice).toHaveValue('lab');
  await expect(canvas).toHaveAttribute('data-nodes', `${MIXED.lab}`);
  await choice.selectOption('');
  await expect(canvas).toHaveAttribute('data-nodes', `${LOCATED}`);
  await page.goBack();
  await expect(canvas).toHaveAttribute('data-nodes', `${MIXED.lab}`);

  await page.getByRole('link', { name: 'View as table' }).click();
  await expect(page).toHaveURL(/\/nodes\?namespace=lab$/);
  await expect(page.getByText(`${MIXED.lab} of ${ALL} nodes`)).toBeVisible();
});

test('the nodes of a Brunet pool are filtered by the network that they carry, in the file, too', async ({
  page,
}) => {
  await go(page, 'nodes?columns=host_name,address,status,namespace,virtual_ip');
  const table = page.getByRole('region', { name: 'Nodes' });
  await expect(table.getByText('Answering')).toHaveCount(ALL);
  const choice = page.getByRole('combobox', { name: 'Namespace' });
  for (const [network, ip, nodes] of [
    ['grid', '10.250.0.2', MIXED.grid],
    ['lab', '10.251.0.2', MIXED.lab],
  ] as const) {
    await choice.selectOption(network);
    await expect(table.getByRole('cell', { name: network, exact: true })).toHaveCount(nodes);
    await expect(table.getByText(ip)).toHaveCount(nodes);
    await expect(table.getByText('Answering')).toHaveCount(nodes);
  }
  await page.getByRole('button', { name: 'Download' }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV', exact: true }).click(),
  ]);
  const lines: string[] = [];
  for await (const part of await download.createReadStream()) lines.push(...String(part).trim().split('\n'));
  expect(lines).toHaveLength(1 + MIXED.lab);
  expect(lines.slice(1).every((line) => line.includes('10.251.0.2'))).toBe(true);
});

test('a node that no network is known of is in none of them', async ({ page }) => {
  await go(page, 'nodes?namespace=nobody');
  await expect(page.getByText(`0 of ${ALL} nodes`)).toBeVisible();
  await expect(page.getByText('No node matches the filter.')).toBeVisible();
  const { api } = world;
  const asked = async (query: string) =>
    (await (await api.get(`/api/v1/pools/${POOL}/${query}`)).json()) as Found;
  interface Found {
    total: number;
    items: { namespace: string | null }[];
    ids: string[];
    namespaces: string[];
  }
  const all = (await asked('nodes')).items.map(({ namespace }) => namespace);
  expect(all.filter((name) => name === null)).toHaveLength(MIXED.none);
  expect((await asked('nodes?namespace=grid')).total).toBe(MIXED.grid);
  expect((await asked('map?namespace=grid')).ids).toHaveLength(MIXED.grid);
  expect((await asked('map?namespace=lab')).namespaces.toSorted()).toEqual(['grid', 'lab']);
});
