import { resolve } from 'node:path';

import { asAdmin } from '../tests/accounts';
import { expect, open, test, url } from '../tests/support';

const FOLDER = resolve('../web/screenshots');
const MAP = 'canvas[data-nodes="12"]';
const LIST = 'table td, .empty';
/** Every page, and what is on it once it has read all that it shows. `{…}` is known once it was made. */
const PAGES: [name: string, path: string, ready: string][] = [
  ['pools', '', 'table td'],
  ['new-pool', 'pools/new', 'textarea'],
  ['overview', 'pools/demo', MAP],
  ['nodes', 'pools/demo/nodes', 'table td'],
  ['node-panel', 'pools/demo/nodes?node={node}', 'aside h2'],
  ['node', 'pools/demo/nodes/{node}', '#presence'],
  ['hosts', 'pools/demo/hosts', 'table td'],
  ['deployed', 'pools/demo/deployed', 'table td'],
  ['map', 'pools/demo/map', MAP],
  ['ring', 'pools/demo/ring', MAP],
  ['stats', 'pools/demo/stats', '.uplot canvas'],
  ['sessions', 'pools/demo/sessions', '.uplot canvas'],
  ['changes', 'pools/demo/diff', '.kinds'],
  ['pool-tasks', 'pools/demo/tasks', 'table td'],
  ['pool-schedules', 'pools/demo/schedules', LIST],
  ['pool-alerts', 'pools/demo/alerts', 'table td'],
  ['files', 'pools/demo/files', LIST],
  ['connect', 'pools/demo/connect', 'pre'],
  ['pool-settings', 'pools/demo/settings', 'textarea'],
  ['tasks', 'tasks', 'table td'],
  ['task', 'tasks/1', '[role=application] canvas'],
  ['schedules', 'schedules', LIST],
  ['workflows', 'workflows', 'table td'],
  ['workflow', 'workflows/heal', '[data-step]'],
  ['new-workflow', 'new-workflow', '[data-step]'],
  ['workflow-runs', 'workflow-runs', 'table td'],
  ['workflow-run', 'workflow-runs/{run}', '[data-state=awaits_approval]'],
  ['alerts', 'alerts', LIST],
  ['alert-targets', 'alerts/targets', '#networks-title'],
  ['users', 'users', 'table td'],
  ['roles', 'roles', 'table td'],
  ['audit', 'audit', 'table td'],
  ['settings', 'settings', 'fieldset'],
  ['account', 'settings/account', '#factor-title'],
  ['logins', 'settings/sessions', 'table td'],
  ['tokens', 'settings/tokens', 'form'],
  ['map-settings', 'settings/map', 'form'],
  ['geolocation', 'settings/geo', 'table td'],
  ['ssh-settings', 'settings/ssh', 'table td'],
  ['not-found', 'nothing/here', 'h1'],
  ['share', 'share/{share}', MAP],
  ['login', 'login', 'form'],
];
/** They have no navigation, so nothing tells that they are live. */
const PLAIN = ['share', 'login'];

const WORKFLOW = `description: Look at every host after somebody agreed
steps:
  - name: ask
    approve: Repair what is not right?
    within: 1h
    on: { failure: end }
  - name: look
    run: check
  - name: well
    wait: [nodes >= 95%, consistency >= 0.95]
    within: 10m
`;

const made: Record<string, string> = {};

/** What a new manager doesn't have yet, so that no page is empty that needn't be. */
test.beforeAll(async () => {
  const admin = await asAdmin();
  const change = async (how: 'post' | 'put', path: string, data: unknown) => {
    const answer = await admin[how](`/api/v1/${path}`, { data });
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
    return (await answer.json()) as { id: number; token: string };
  };
  await change('put', 'workflows/heal', { text: WORKFLOW });
  made['run'] = String((await change('post', 'workflows/heal/runs', { pool: 'demo' })).id);
  const views = ['map', 'nodes', 'stats'];
  made['share'] = (await change('post', 'pools/demo/shares', { name: 'for visitors', views })).token;
  await change('post', 'pools/demo/alert-rules', {
    name: 'Too few nodes',
    condition: { kind: 'nodes_below', percent: 90 },
  });
  await change('post', 'users', { name: 'grace', role: 'viewer', password: 'a long pass phrase' });
  const nodes = (await (await admin.get('/api/v1/pools/demo/nodes')).json()) as { items: { address: string }[] };
  made['node'] = nodes.items[0]?.address ?? '';
});

for (const theme of ['light', 'dark'] as const) {
  for (const [name, pattern, ready] of PAGES) {
    test(`${name} ${theme}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      const path = pattern.replace(/\{(\w+)\}/, (_, what: string) => made[what] ?? '');
      if (PLAIN.includes(name)) await page.goto(`${url}/${path}`);
      else await open(page, path);
      await expect(page.locator(ready).first()).toBeVisible();
      if (!PLAIN.includes(name)) await expect(page.locator('[data-freshness=live]')).toBeVisible();
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
      await page.waitForLoadState('load');
      await page.screenshot({ path: `${FOLDER}/${name}-${theme}.png` });
    });
  }
}
