import { get, type IncomingMessage } from 'node:http';

import type { Browser, Page } from '@playwright/test';

import { expect, signIn, test, url } from '../tests/support';
import { measured, middle } from './measure';

/** How often a first load is measured, each time by a browser that has nothing of it. */
const FIRST_LOADS = 7;

/** Where links lead within a pool, and what is there once it can be used. */
const TABS: [tab: string, ready: string][] = [
  ['Nodes', 'tbody button[data-row]'],
  ['Hosts', 'table td, .empty'],
  ['Deployed', 'table td, .empty'],
  ['Map', 'canvas[data-nodes="1000"]'],
  ['Ring', 'canvas[data-nodes="1000"]'],
  ['Stats', '.uplot canvas'],
  ['Sessions', 'table td, .empty'],
  ['Tasks', 'table td, .empty'],
  ['Schedules', 'table td, .empty'],
  ['Alerts', '#rules-title'],
  ['Files', 'table td, .empty'],
  ['Connect', 'pre'],
  ['Settings', 'textarea'],
];

declare global {
  interface Window {
    /** Resolves with the time by the page's clock at which something that matches is on the screen. */
    untilShown(selector: string): Promise<number>;
  }
}

/** Runs in the page, before its own scripts. */
function watch(): void {
  window.untilShown = (selector) =>
    new Promise((done) => {
      const look = () => {
        const found = document.querySelector(selector);
        if (!found?.checkVisibility()) return requestAnimationFrame(look);
        // A message comes after the frame in which it is drawn.
        return requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => done(performance.now());
          port2.postMessage(undefined);
        });
      };
      look();
    });
}

/** How long a file is on its way to a client that takes gzip. */
async function gzipBytes(file: string): Promise<number> {
  const answer = await new Promise<IncomingMessage>((answered, failed) =>
    get(file, { headers: { 'accept-encoding': 'gzip' } }, answered).on('error', failed),
  );
  let bytes = 0;
  for await (const part of answer) bytes += (part as Buffer).length;
  return bytes;
}

/** Milliseconds from the request for a page by a browser without a cache until `ready` is there, and what it took by gzip. */
async function firstLoad(browser: Browser, path: string, ready: string): Promise<{ ms: number; kB: number }> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(watch);
  await signIn(page);
  await page.goto(`${url}/${path}`, { waitUntil: 'commit' });
  const ms = await page.evaluate((selector) => window.untilShown(selector), ready);
  const files = await page.evaluate(() =>
    ['navigation', 'resource']
      .flatMap((type) => performance.getEntriesByType(type))
      .map(({ name }) => name)
      .filter((name) => !new URL(name).pathname.startsWith('/api/')),
  );
  let bytes = 0;
  for (const file of files) bytes += await gzipBytes(file);
  await context.close();
  return { ms, kB: bytes / 1000 };
}

/** Milliseconds from a click on a link until what it leads to is there. */
async function laterPage(page: Page, link: string, ready: string): Promise<number> {
  return page.evaluate(
    async ([link, ready]) => {
      const links = [...document.querySelectorAll<HTMLAnchorElement>('nav[aria-label=Pool] a')];
      const found = links.find(({ textContent }) => textContent?.trim() === link);
      if (!found)
        throw new Error(`no link ${link}: ${links.map(({ textContent }) => textContent).join(', ')}`);
      const begun = performance.now();
      found.click();
      // What the page before has may match, too: it is gone with the address of the page that comes.
      await Promise.resolve();
      return (await window.untilShown(`main :is(${ready})`)) - begun;
    },
    [link, ready] as const,
  );
}

test('the first page can be used soon after it is asked for', async ({ browser }) => {
  for (const [path, ready] of [
    ['', 'main table td'],
    ['pools/small', 'canvas[data-nodes="1000"]'],
    ['pools/small/nodes', 'main tbody tr td'],
  ] as const) {
    const loads = [];
    for (let i = 0; i < FIRST_LOADS; i++) loads.push(await firstLoad(browser, path, ready));
    const name = `first load of /${path}`;
    measured({ name, unit: 'ms', better: 'lower', ours: middle(loads.map(({ ms }) => ms)), limit: 1000 });
    measured({ name: `${name}, bytes`, unit: 'kB gzip', better: 'lower', ours: loads[0]!.kB, limit: 200 });
    expect(loads[0]!.kB).toBeGreaterThan(0);
  }
});

test('later pages come at once', async ({ page }) => {
  await page.addInitScript(watch);
  await signIn(page);
  await page.goto(`${url}/pools/small`);
  await expect(page.locator('canvas[data-nodes="1000"]')).toBeVisible();
  const times: number[] = [];
  for (const [tab, ready] of TABS) {
    const ms = await laterPage(page, tab, ready);
    console.log(`  ${tab}: ${Math.round(ms)} ms`);
    times.push(ms);
    await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
  }
  const name = `page of a pool of 1,000 nodes, opened for the first time`;
  measured({ name: `${name}, middle`, unit: 'ms', better: 'lower', ours: middle(times), limit: 150 });
  measured({ name: `${name}, slowest`, unit: 'ms', better: 'lower', ours: Math.max(...times), limit: 150 });
});
