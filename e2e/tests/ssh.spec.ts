import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Page } from '@playwright/test';

import { asAdmin } from './accounts';
import { problems } from './problems';
import { keygen, makeKey, startSshd, type Sshd } from './sshd';
import { expect, open, test, url } from './support';

const POOL = 'by-ssh';
let gate: Sshd;
let target: Sshd;
let authority: string;

test.beforeAll(async () => {
  gate = await startSshd();
  const { folder } = gate;
  authority = makeKey(folder, 'authority').path;
  // The host lets in whom the authority has certified, and nobody else.
  target = await startSshd(`TrustedUserCAKeys ${authority}.pub`);
});
test.afterAll(async () => {
  await target?.stop();
  await gate?.stop();
});
test.beforeEach(async () => {
  const api = await asAdmin();
  const hosts = `${target.user}@127.0.0.1:${target.port}\n`;
  const settings = { name: POOL, hosts, install_path: join(target.folder, 'pool') };
  expect((await api.post('/api/v1/pools', { data: settings })).status()).toBe(201);
});
test.afterEach(async () => {
  expect((await (await asAdmin()).delete(`/api/v1/pools/${POOL}`)).status()).toBe(204);
});

/** What became of the one host in a task that contacts it. */
async function contact(): Promise<{ outcome: string; message: string }> {
  const api = await asAdmin();
  const task = (await (await api.post(`/api/v1/pools/${POOL}/gather_usage`, { data: {} })).json()) as { id: number };
  await expect
    .poll(async () => (await (await api.get(`/api/v1/tasks/${task.id}`)).json()).ended_at, { timeout: 60_000 })
    .not.toBeNull();
  const { items } = await (await api.get(`/api/v1/tasks/${task.id}/hosts`)).json();
  return items[0];
}

function drop(page: Page, group: string, name: string, text: string) {
  return page
    .evaluateHandle(
      ([name, text]) => {
        const data = new DataTransfer();
        data.items.add(new File([text!], name!, { type: 'text/plain' }));
        return data;
      },
      [name, text],
    )
    .then((dataTransfer) => page.getByRole('group', { name: group }).dispatchEvent('drop', { dataTransfer }));
}

test('a host behind a jump host, which asks for a certificate, is reached as the settings say', async ({ page }) => {
  await open(page, `pools/${POOL}/settings`);
  const key = makeKey(target.folder, 'pool_key', 'hush');
  const jumpKey = makeKey(gate.folder, 'jump_key');
  gate.authorize(jumpKey.line);
  keygen('-q', '-s', authority, '-I', 'e2e', '-n', target.user, '-V', '+1h', `${key.path}.pub`);

  // A key with a passphrase and a certificate.
  const keys = page.locator('form', { has: page.getByRole('heading', { name: 'SSH key' }) });
  await keys.getByLabel('Use a key of mine').check();
  await drop(page, 'Choose a key file', 'id_ed25519', key.text);
  await keys.getByLabel('Passphrase, if it has one').fill('hush');
  await keys.getByLabel('Certificate, if hosts ask for one').fill(readFileSync(`${key.path}-cert.pub`, 'utf8'));
  await keys.getByRole('button', { name: 'Replace the key' }).click();
  await expect(page.getByText('The pool has a new key.')).toBeVisible();
  await expect(keys.locator('pre')).toContainText(key.line.split(' ')[1]!);
  await expect(keys.getByLabel('Private key')).toHaveValue('');

  // Jump hosts are checked as one types.
  const way = page.getByRole('region', { name: 'Way to the hosts' });
  const jumps = way.getByLabel('Jump hosts', { exact: true });
  await jumps.fill('not a host');
  await expect(way.getByText('“not a host” is no jump host')).toBeVisible();
  await expect(way.getByRole('button', { name: 'Save the way to the hosts' })).toBeDisabled();
  const gateName = `${gate.user}@127.0.0.1:${gate.port}`;
  await jumps.fill(gateName);
  const limit = way.getByLabel(`Handshakes at once through ${gateName}`);
  await limit.fill('257');
  await expect(way.getByText('1 to 256.')).toBeVisible();
  await expect(way.getByRole('button', { name: 'Save the way to the hosts' })).toBeDisabled();
  await limit.fill('3');
  await way.getByLabel('Handshakes at once through each').fill('2');
  await way.getByRole('button', { name: 'Save the way to the hosts' }).click();
  await expect(page.getByText('Tasks that begin from now on go this way.')).toBeVisible();

  // The gate knows another key than the pool's.
  expect((await contact()).outcome).not.toBe('ok');
  const row = way.getByRole('row', { name: new RegExp(`127.0.0.1:${gate.port}`) });
  await expect(row).toContainText('the pool’s key');
  await expect(way.getByRole('button', { name: 'Use the pool’s key' })).toHaveCount(0);
  await way.getByLabel('Private key for the jump hosts').fill(jumpKey.text);
  await way.getByRole('button', { name: 'Use this key' }).click();
  await expect(page.getByText('The jump hosts are reached with SHA256:')).toBeVisible();
  expect(await contact()).toMatchObject({ outcome: 'ok' });

  // A key of its own lets it do without that of all jump hosts.
  const own = keygen('-l', '-f', `${jumpKey.path}.pub`).split(' ')[1]!;
  await expect(row).toContainText(`the key of all jump hosts ${own}`);
  await way.getByRole('button', { name: 'Use the pool’s key' }).click();
  await expect(page.getByText('The jump hosts are reached with the pool’s key.')).toBeVisible();
  await expect(row).toContainText('the pool’s key');
  expect((await contact()).outcome).not.toBe('ok');
  await row.getByRole('button', { name: `Own key for ${gateName}` }).click();
  await way.getByLabel(`Private key for ${gateName} alone`).fill(jumpKey.text);
  await way.getByRole('button', { name: `Reach ${gateName} with it` }).click();
  await expect(page.getByText(`${gateName} alone is reached with SHA256:`)).toBeVisible();
  await expect(row).toContainText(`its own key ${own}`);
  expect(await contact()).toMatchObject({ outcome: 'ok' });

  // The gate's key was pinned at first contact.
  await page.reload();
  const fingerprint = keygen('-l', '-f', join(gate.folder, 'host_key.pub')).split(' ')[1]!;
  await expect(row).toContainText(fingerprint);
  await expect(row).toContainText(own);
  await expect(jumps).toHaveValue(gateName);
  await expect(limit).toHaveValue('3');
  await expect(way.getByLabel('Handshakes at once through each')).toHaveValue('2');
  expect(await problems(page)).toEqual([]);

  // Without the certificate the host refuses.
  await keys.getByLabel('Use a key of mine').check();
  await keys.getByLabel('Private key').fill(key.text);
  await keys.getByLabel('Passphrase, if it has one').fill('hush');
  await keys.getByRole('button', { name: 'Replace the key' }).click();
  await expect(keys.getByLabel('Private key')).toHaveValue('');
  expect((await contact()).outcome).not.toBe('ok');

  // The demo was started with no agent, which the form says.
  await way.getByLabel(/ssh-agent/).check();
  await expect(way.getByText('The manager runs without an ssh-agent')).toBeVisible();
  await way.getByLabel('Only this key of the agent').fill('MD5:aa');
  await expect(way.getByText('A fingerprint as “ssh-add -l” prints it')).toBeVisible();

  await row.getByRole('button', { name: `Forget the own key of ${gateName}` }).click();
  await expect(row).toContainText('the pool’s key');
});

test('host keys are pinned out of a known_hosts file, and a pinned one is never replaced', async ({ page }) => {
  const api = await asAdmin();
  await api.put(`/api/v1/pools/${POOL}/hosts`, { data: 'planet9.example.org\n', headers: { 'content-type': 'text/plain' } });
  await open(page, `pools/${POOL}/settings`);
  const way = page.getByRole('region', { name: 'Way to the hosts' });
  const known = join(target.folder, 'known_hosts');
  writeFileSync(known, `planet9.example.org ${target.hostKey}\n`);
  keygen('-H', '-f', known);
  await drop(page, 'Choose a known_hosts file', 'known_hosts', `${readFileSync(known, 'utf8')}nonsense\n`);
  await way.getByRole('button', { name: 'Pin these keys' }).click();
  await expect(way.getByText(/^1 host key pinned/)).toBeVisible();
  await expect(way.getByText(/^line 2:/)).toBeVisible();

  const other = makeKey(target.folder, 'other_host_key').line.split(' ').slice(0, 2).join(' ');
  await way.getByLabel('Lines of a known_hosts file').fill(`planet9.example.org ${other}`);
  await way.getByRole('button', { name: 'Pin these keys' }).click();
  await expect(way.getByText(/keeps its pinned key/)).toContainText('SHA256:');
  await expect(way.getByText(/^0 host keys pinned/)).toBeVisible();
});

test('hosts come out of an SSH configuration: a preview, wrong lines, their jump host, and no host twice', async ({ page }) => {
  // The pool goes through the same machine already, as somebody else.
  const gate = { address: 'gate.example.org', port: 2200, user: 'before', handshakes: 3 };
  const api = await asAdmin();
  expect((await api.put(`/api/v1/pools/${POOL}/ssh`, { data: { jumps: [gate] } })).status()).toBe(200);
  await open(page, `pools/${POOL}/hosts`);
  await page.getByRole('button', { name: 'Import…' }).click();
  const dialog = page.getByRole('dialog');
  const config = [
    'Host planet1 planet2',
    '  HostName %h.example.org',
    '  User ops',
    '  Port 2222',
    'Host here',
    '  HostName 127.0.0.1',
    `  Port ${target.port}`,
    'Host planet* here',
    '  ProxyJump gate@gate.example.org:2200',
    '  IdentityFile ~/.ssh/id_lab',
    'Match exec true',
    '',
  ].join('\n');
  await drop(page, 'Choose a configuration', 'config', config);
  await expect(dialog.getByText('2 new hosts')).toBeVisible();
  await expect(dialog.getByText('1 on the list already')).toBeVisible();
  await expect(dialog.getByText(/^line 11:/)).toBeVisible();
  const row = dialog.getByRole('row', { name: /planet1/ });
  await expect(row).toContainText('planet1.example.org:2222');
  await expect(row).toContainText('ops');
  await expect(row).toContainText('gate@gate.example.org:2200');
  await expect(dialog.getByRole('checkbox', { name: 'here' })).toBeDisabled();
  await expect(dialog.getByText('IdentityFile names files of yours')).toBeVisible();
  expect(await problems(page)).toEqual([]);

  await dialog.getByRole('checkbox', { name: 'planet2' }).uncheck();
  await expect(dialog.getByRole('checkbox', { name: /Reach every host of the pool through/ })).toBeChecked();
  await dialog.getByRole('button', { name: 'Add the hosts (1)' }).click();
  await expect(page.getByText('1 host added.')).toBeVisible();
  const table = page.getByRole('region', { name: 'Hosts' });
  await expect(table.getByRole('button', { name: 'planet1.example.org:2222' })).toBeVisible();
  await expect(table.getByRole('row')).toHaveCount(3);
  await page.goto(`${url}/pools/${POOL}/settings`);
  await expect(page.getByLabel('Jump hosts', { exact: true })).toHaveValue('gate@gate.example.org:2200');
  await expect(page.getByLabel('Handshakes at once through gate@gate.example.org:2200')).toHaveValue('3');

  // The same text gives nothing new; in the list's own form they come as lines.
  await page.getByRole('button', { name: 'Import from an SSH configuration…' }).click();
  await dialog.getByLabel('Text of the configuration').fill(config);
  await expect(dialog.getByText('1 new host', { exact: false })).toBeVisible();
  await dialog.getByRole('button', { name: 'Put them on the list (1)' }).click();
  await expect(page.getByLabel('One host per line')).toHaveValue(/\nops@planet2\.example\.org:2222 alias=planet2\n$/);
  await expect(page.getByText('3 hosts right')).toBeVisible();
});
