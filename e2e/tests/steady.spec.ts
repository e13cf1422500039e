import type { Page } from '@playwright/test';

import { expect, open, test, url } from './support';

/** The main pages, and what is on them once they have read all that they show. */
const PAGES: [path: string, ready: string][] = [
  ['', 'table td'],
  ['pools/demo', 'canvas[data-nodes="12"]'],
  ['pools/demo/nodes', 'table td'],
  ['pools/demo/hosts', 'table td'],
  ['pools/demo/deployed', 'table td'],
  ['pools/demo/map', 'canvas[data-nodes="12"]'],
  ['pools/demo/ring', 'canvas[data-nodes="12"]'],
  ['pools/demo/stats', '.uplot canvas'],
  ['pools/demo/sessions', 'table td'],
  ['pools/demo/diff', '.kinds'],
  ['pools/demo/tasks', 'table td'],
  ['pools/demo/schedules', 'table td, .empty'],
  ['pools/demo/alerts', '#rules-title'],
  ['tasks', 'table td'],
  ['tasks/1', '[role=application] canvas, main p'],
  ['workflows', 'table td, .empty'],
  ['users', 'table td'],
  ['audit', 'table td'],
  ['settings/geo', 'table td'],
  ['settings/ssh', 'table td'],
];

/** What counts as good: https://web.dev/articles/cls */
const SHIFT_MAX = 0.1;

declare global {
  interface Window {
    shifts: { value: number; what: string }[];
  }
}

/** Notes everything that moves without a person having done something. */
function watchShifts(): void {
  window.shifts = [];
  interface Shift extends PerformanceEntry {
    value: number;
    hadRecentInput: boolean;
    sources: { node: Node | null }[];
  }
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as Shift[]) {
      if (entry.hadRecentInput) continue;
      const what = entry.sources.map(({ node }) =>
        node instanceof Element
          ? `<${node.localName} class="${node.getAttribute('class')}">`
          : String(node?.nodeName),
      );
      window.shifts.push({ value: entry.value, what: what.join(' ') });
    }
  }).observe({ type: 'layout-shift', buffered: true });
}

async function shift(page: Page): Promise<{ sum: number; most: string }> {
  const shifts = await page.evaluate(() => window.shifts);
  const sum = shifts.reduce((sum, { value }) => sum + value, 0);
  return { sum, most: shifts.sort((a, b) => b.value - a.value)[0]?.what ?? '' };
}

/** Opens every page, and finds that nothing on it moved until it had everything. */
async function staysPut(page: Page): Promise<void> {
  for (const [path, ready] of PAGES) {
    await page.goto(`${url}/${path}`);
    await expect(page.locator(ready).first()).toBeVisible();
    await expect(page.locator('[data-freshness=live]')).toBeVisible();
    await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
    const { sum, most } = await shift(page);
    expect(sum, `/${path}: most by ${most}`).toBeLessThan(SHIFT_MAX);
  }
}

for (const width of [1280, 360]) {
  test(`nothing moves while a page of ${width} pixels loads`, async ({ page }) => {
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript(watchShifts);
    await open(page, 'tasks');
    await staysPut(page);
  });

  test(`nothing moves while a page of ${width} pixels waits for slow answers`, async ({ page }) => {
    test.slow();
    await page.setViewportSize({ width, height: 800 });
    await page.addInitScript(watchShifts);
    await open(page, 'tasks');
    // Later than the grey lines, and each at another time; the stream of events isn't an answer.
    let asked = 0;
    await page.route(/\/api\/v1\/(?!events)/, async (route) => {
      await new Promise((go) => setTimeout(go, 200 + ((asked++ * 270) % 600)));
      await route.continue();
    });
    await staysPut(page);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });
}
