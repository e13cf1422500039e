/** Calls about people: accounts, what they may, their sessions and second factor, and who did what. */

import { answer, apiUrl, client } from './http';
import type { components, paths } from './schema';
import type { Noun, Role } from './types';

type Signal = AbortSignal | undefined;
type Schemas = components['schemas'];

export type User = Noun<'UserSummary'>;
export type LoginSession = Noun<'Session'>;
export type Permissions = Noun<'Permissions'>;
export type Permission = Permissions['routes'][number];
export type Needs = Schemas['Needs'];
export type Right = Schemas['Right'];
export type PoolGrant = Noun<'PoolGrant'>;
export type Grant = Schemas['Grant'];
export type AuditEntry = Noun<'Listed_AuditEntry'>['items'][number];
export type AuditResult = Schemas['AuditResult'];
export type SecondFactor = Noun<'SecondFactor'>;
export type NewSecondFactor = Noun<'NewSecondFactor'>;

export type AuditQuery = NonNullable<paths['/api/v1/audit']['get']['parameters']['query']>;

const at = (id: number) => ({ params: { path: { id } } });

export const users = (signal?: Signal) => answer(client.GET('/api/v1/users', { signal }));
export const createUser = (name: string, role: Role, password: string) =>
  answer(client.POST('/api/v1/users', { body: { name, role, password: password === '' ? null : password } }));
export const editUser = (id: number, change: { role?: Role; disabled?: boolean }) =>
  answer(client.PATCH('/api/v1/users/{id}', { ...at(id), body: { role: null, disabled: null, ...change } }));
export const deleteUser = (id: number) => answer(client.DELETE('/api/v1/users/{id}', at(id)));
export const resetPassword = (id: number) =>
  answer(client.POST('/api/v1/users/{id}/password', { ...at(id), body: { password: null } }));
export const endUserTotp = (id: number) => answer(client.DELETE('/api/v1/users/{id}/totp', at(id)));
export const userSessions = (id: number, signal?: Signal) =>
  answer(client.GET('/api/v1/users/{id}/sessions', { ...at(id), signal }));
export const endUserSessions = (id: number) => answer(client.DELETE('/api/v1/users/{id}/sessions', at(id)));

export const permissions = (signal?: Signal) => answer(client.GET('/api/v1/permissions', { signal }));

export const changePassword = (old: string, replacement: string) =>
  answer(client.POST('/api/v1/me/password', { body: { old, new: replacement } }));
export const sessions = (signal?: Signal) => answer(client.GET('/api/v1/sessions', { signal }));
export const endSession = (id: number) => answer(client.DELETE('/api/v1/sessions/{id}', at(id)));
export const endOtherSessions = () => answer(client.DELETE('/api/v1/sessions'));

export const secondFactor = (signal?: Signal) => answer(client.GET('/api/v1/me/totp', { signal }));
export const beginSecondFactor = (password: string) =>
  answer(client.POST('/api/v1/me/totp', { body: { password } }));
export const confirmSecondFactor = (code: string) =>
  answer(client.POST('/api/v1/me/totp/confirm', { body: { code } }));
export const endSecondFactor = (password: string) =>
  answer(client.POST('/api/v1/me/totp/end', { body: { password } }));

export const oidc = (signal?: Signal) => answer(client.GET('/api/v1/oidc', { signal }));
/** Begins a login by the provider, which ends at `next`, a page relative to the application's base. */
export const oidcLogin = (next: string) => apiUrl('oidc/login', next === '' ? {} : { next });

export const grants = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/grants', { params: { path: { pool } }, signal }));
export const setGrant = (pool: string, user: string, grant: Grant) =>
  answer(client.PUT('/api/v1/pools/{pool}/grants', { params: { path: { pool } }, body: { user, grant } }));
export const takeGrant = (pool: string, user: number) =>
  answer(client.DELETE('/api/v1/pools/{pool}/grants/{user}', { params: { path: { pool, user } } }));
export const setOwner = (pool: string, user: string) =>
  answer(client.PUT('/api/v1/pools/{pool}/owner', { params: { path: { pool } }, body: { user } }));

export const audit = (query: AuditQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/audit', { params: { query }, signal }));
export const auditCsv = (query: AuditQuery) => apiUrl('audit.csv', query);
