import type { APIRequestContext, Page } from '@playwright/test';
import { request } from '@playwright/test';

import { expect, password as adminPassword, url } from './support';

export type Role = 'viewer' | 'publisher' | 'administrator' | 'super_administrator';

/** A person of the manager under test. */
export interface Account {
  id: number;
  name: string;
  password: string;
}

let admin: Promise<APIRequestContext> | undefined;

/** The API as the first administrator, by a token of its own: no cookie gets in the way of the page's. */
export function asAdmin(): Promise<APIRequestContext> {
  admin ??= (async () => {
    const login = await request.newContext({ baseURL: url });
    const answer = await login.post('/api/v1/login', { data: { name: 'admin', password: adminPassword } });
    expect(answer.status()).toBe(200);
    const csrf = (await login.storageState()).cookies.find(({ name }) => name === 'p2ppool_csrf')?.value ?? '';
    const made = await login.post('/api/v1/tokens', {
      data: { name: `e2e ${process.pid} ${Date.now()}` },
      headers: { 'x-csrf-token': csrf },
    });
    expect(made.status()).toBe(201);
    const { token } = (await made.json()) as { token: string };
    await login.dispose();
    return request.newContext({ baseURL: url, extraHTTPHeaders: { authorization: `Bearer ${token}` } });
  })();
  return admin;
}

/** Makes an account; a name that was used before gets a new password and the role. */
export async function account(name: string, role: Role): Promise<Account> {
  const api = await asAdmin();
  const password = `correct horse ${name}`;
  const users = (await (await api.get('/api/v1/users')).json()) as { id: number; name: string }[];
  const known = users.find((user) => user.name === name);
  if (known) expect((await api.delete(`/api/v1/users/${known.id}`)).status()).toBe(204);
  const made = await api.post('/api/v1/users', { data: { name, role, password } });
  expect(made.status()).toBe(201);
  const { id } = (await made.json()) as { id: number };
  return { id, name, password };
}

/** The page carries this person's session from now on. */
export async function signInAs(page: Page, { name, password }: Account): Promise<void> {
  await page.context().clearCookies();
  const answer = await page.request.post(`${url}/api/v1/login`, { data: { name, password } });
  expect(answer.status()).toBe(200);
}

/** Logs in by the form, as people do. */
export async function logIn(page: Page, { name, password }: Pick<Account, 'name' | 'password'>): Promise<void> {
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}
