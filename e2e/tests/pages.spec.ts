import { problems } from './problems';
import { expect, open, signIn, test, url } from './support';

/** Every page, and what is on it once it has read all that it shows. */
const PAGES: [path: string, ready: string][] = [
  ['', 'table td'],
  ['pools/new', 'textarea'],
  ['pools/demo', 'canvas[data-nodes="12"]'],
  ['pools/demo/nodes', 'table td'],
  ['pools/demo/hosts', 'table td'],
  ['pools/demo/map', 'canvas[data-nodes="12"]'],
  ['pools/demo/ring', 'canvas[data-nodes="12"]'],
  ['pools/demo/ring?show=nodes', 'table td'],
  ['pools/demo/ring?show=disagreements', 'table td, .empty'],
  ['pools/demo/deployed', 'table td'],
  ['pools/demo/stats', '.uplot canvas'],
  ['pools/demo/sessions', 'table td'],
  ['pools/demo/diff', '.kinds'],
  ['pools/demo/tasks', 'table td'],
  ['pools/demo/schedules', 'table td, .empty'],
  ['pools/demo/files', 'table td, .empty'],
  ['pools/demo/connect', 'pre'],
  ['pools/demo/settings', 'textarea'],
  ['tasks', 'table td'],
  ['tasks/1', '[role=application] canvas, main p'],
  ['schedules', 'table td, .empty'],
  ['settings', 'fieldset'],
  ['settings/map', 'form'],
  ['settings/geo', 'table td'],
  ['settings/ssh', 'table td'],
  ['settings/tokens', 'form'],
  ['settings/account', '#factor-title'],
  ['settings/sessions', 'table td'],
  ['pools/demo/alerts', '#rules-title'],
  ['workflows', 'table td, .empty'],
  ['new-workflow', '[data-step]'],
  ['workflow-runs', 'table td, .empty'],
  ['alerts', 'table td, .empty'],
  ['alerts/targets', '#networks-title'],
  ['users', 'table td'],
  ['roles', 'table td'],
  ['audit', 'table td'],
  ['nothing/here', 'h1'],
  ['login', 'form'],
];

for (const theme of ['light', 'dark'] as const) {
  for (const [path, ready] of PAGES) {
    test(`/${path} is accessible in the ${theme} theme`, async ({ page }) => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      if (path === 'login') await page.goto(`${url}/login`);
      else await open(page, path);
      await expect(page.locator(ready).first()).toBeVisible();
      await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
      expect(await problems(page)).toEqual([]);
      await expect(page.locator('h1')).toHaveCount(1);
    });
  }
}

test('an open panel and an open dialog are accessible', async ({ page }) => {
  await open(page, 'pools/demo/nodes');
  await page.locator('button[data-row]').first().click();
  await expect(page.getByRole('heading', { name: 'Closest neighbours' })).toBeVisible();
  expect(await problems(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog')).toBeVisible();
  expect(await problems(page)).toEqual([]);
});

/** What makes the page wider than the window. */
function tooWide(): string[] {
  if (document.documentElement.scrollWidth <= window.innerWidth) return [];
  const wide = [...document.body.querySelectorAll('*')].filter(
    (element) => element.getBoundingClientRect().right > window.innerWidth,
  );
  return wide.map((element) => `<${element.localName} class="${element.getAttribute('class')}">`);
}

test('no page is wider than a phone of 360 pixels', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await signIn(page);
  for (const [path, ready] of PAGES.filter(([path]) => path !== 'login')) {
    await page.goto(`${url}/${path}`);
    await expect(page.locator(ready).first()).toBeVisible();
    expect(await page.evaluate(tooWide), `/${path}`).toEqual([]);
  }
});

test('the theme that a person chose is kept', async ({ page }) => {
  await open(page, 'settings');
  await page.getByRole('radio', { name: 'Dark' }).check();
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.getByRole('radio', { name: 'Dark' })).toBeChecked();
  await page.getByRole('button', { name: 'Theme: dark' }).click();
  await page.getByRole('button', { name: 'Theme: as the system' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
});
