import { resolve } from 'node:path';

import { expect, open, test } from '../tests/support';

const FOLDER = resolve('../web/screenshots');
const PAGES: [name: string, path: string, ready: string][] = [
  ['pools', '', 'table td'],
  ['overview', 'pools/demo', 'canvas[data-nodes="12"]'],
  ['nodes', 'pools/demo/nodes', 'table td'],
  ['hosts', 'pools/demo/hosts', 'table td'],
  ['map', 'pools/demo/map', 'canvas[data-nodes="12"]'],
  ['ring', 'pools/demo/ring', 'canvas[data-nodes="12"]'],
  ['deployed', 'pools/demo/deployed', 'table td'],
  ['stats', 'pools/demo/stats', '.uplot canvas'],
  ['sessions', 'pools/demo/sessions', '.uplot canvas'],
  ['changes', 'pools/demo/diff', '.kinds'],
  ['task', 'tasks/1', '[role=application] canvas'],
  ['new-pool', 'pools/new', 'textarea'],
  ['schedules', 'schedules', 'table td, .empty'],
  ['geolocation', 'settings/geo', 'table td'],
];

for (const theme of ['light', 'dark'] as const) {
  for (const [name, path, ready] of PAGES) {
    test(`${name} ${theme}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      await open(page, path);
      await expect(page.locator(ready).first()).toBeVisible();
      await expect(page.locator('[data-freshness=live]')).toBeVisible();
      await page.waitForLoadState('load');
      await page.screenshot({ path: `${FOLDER}/${name}-${theme}.png` });
    });
  }
}
