import { account, signInAs, type Account, type Role } from './accounts';
import { expect, test, url } from './support';

type Who = Role | 'nobody';
const PEOPLE: Who[] = ['nobody', 'viewer', 'publisher', 'administrator', 'super_administrator'];

/** The least who sees a page, and what of it they see; others are told which role is missing. */
const PAGES: { path: string; needs: Who; ready: string }[] = [
  { path: 'workflows', needs: 'viewer', ready: '.empty, table td' },
  { path: 'workflow-runs', needs: 'viewer', ready: '.empty, table td' },
  { path: 'new-workflow', needs: 'publisher', ready: 'textarea' },
  { path: 'alerts', needs: 'viewer', ready: '.empty, table td' },
  { path: 'alerts/targets', needs: 'publisher', ready: '.empty, table td' },
  { path: 'pools/demo/alerts', needs: 'viewer', ready: '#rules-title' },
  { path: 'users', needs: 'super_administrator', ready: 'table td' },
  { path: 'roles', needs: 'nobody', ready: 'table td' },
  { path: 'audit', needs: 'administrator', ready: 'table td' },
  { path: 'settings/account', needs: 'viewer', ready: '#password-title' },
  { path: 'settings/sessions', needs: 'viewer', ready: 'table td' },
];

/** Links of the navigation, by the least who sees them. */
const SECTIONS: [text: string, needs: Who][] = [
  ['Pools', 'nobody'],
  ['Tasks', 'viewer'],
  ['Workflows', 'viewer'],
  ['Alerts', 'viewer'],
  ['Roles', 'viewer'],
  ['Settings', 'viewer'],
  ['Audit log', 'administrator'],
  ['Users', 'super_administrator'],
];

/** Things to press that change something, by the least who may; others are told why not. */
const CHANGES: { path: string; button: string; needs: Who }[] = [
  { path: 'workflows', button: 'New workflow', needs: 'publisher' },
  { path: 'pools/demo', button: 'Share…', needs: 'administrator' },
  { path: 'pools/demo/map', button: 'Share…', needs: 'administrator' },
  { path: 'pools/demo/settings', button: 'New link…', needs: 'administrator' },
  { path: 'pools/demo/schedules', button: 'New schedule', needs: 'administrator' },
  { path: 'pools/demo/hosts', button: 'Check', needs: 'administrator' },
];

const may = (who: Who, needs: Who) => PEOPLE.indexOf(who) >= PEOPLE.indexOf(needs);

for (const who of PEOPLE) {
  test.describe(who.replaceAll('_', ' '), () => {
    let person: Account | undefined;
    test.beforeAll(async () => {
      if (who !== 'nobody') person = await account(`role-${who.replaceAll('_', '-')}`, who);
    });
    test.beforeEach(async ({ page }) => {
      if (person) await signInAs(page, person);
    });

    for (const { path, needs, ready } of PAGES) {
      test(`${may(who, needs) ? 'sees' : 'is told why not to see'} /${path}`, async ({ page }) => {
        await page.goto(`${url}/${path}`);
        await expect(page.locator('h1')).toHaveCount(1);
        const refusal = page.locator('[data-forbidden]');
        if (may(who, needs)) {
          await expect(page.locator(ready).first()).toBeVisible();
          await expect(refusal).toHaveCount(0);
        } else if (who === 'nobody') {
          await expect(refusal).toContainText(`Log in as ${needs.replaceAll('_', ' ')}`);
          await expect(refusal.getByRole('link', { name: 'Log in' })).toHaveAttribute('href', /^login\?next=/);
        } else {
          await expect(refusal).toContainText(`Needs the role ${needs.replaceAll('_', ' ')}; you are`);
          await expect(refusal).toContainText(who.replaceAll('_', ' '));
        }
      });
    }

    test('sees only its own part of the navigation', async ({ page }) => {
      await page.goto(`${url}/`);
      const nav = page.getByRole('navigation', { name: 'Main' });
      await expect(nav.getByRole('link', { name: 'Pools', exact: true })).toBeVisible();
      for (const [text, needs] of SECTIONS) {
        // a number may follow: how many alerts are open
        const name = new RegExp(`^${text}( \\d|$)`);
        await expect(nav.getByRole('link', { name })).toHaveCount(may(who, needs) ? 1 : 0);
      }
    });

    test('is told why it can’t change what it may only look at', async ({ page }) => {
      for (const { path, button, needs } of CHANGES) {
        if (who === 'nobody' && path === 'workflows') continue;
        await page.goto(`${url}/${path}`);
        const pressed = page.getByRole('button', { name: button, exact: true }).first();
        await expect(pressed).toHaveAttribute('aria-disabled', String(!may(who, needs)));
        if (may(who, needs)) continue;
        await pressed.press('Enter');
        await expect(page.getByRole('status').getByText(/Log in|Needs the role|You may look at/).first()).toBeVisible();
      }
    });
  });
}
