/** Calls about alerts: what is wrong, the rules that find it, and where messages go. */

import { answer, client } from './http';
import type { components, paths } from './schema';
import type { Noun } from './types';

type Signal = AbortSignal | undefined;
type Schemas = components['schemas'];

export type Alert = Noun<'Listed_Alert'>['items'][number];
export type AlertState = Alert['state'];
export type AlertRule = Noun<'AlertRule'>;
export type AlertTarget = Noun<'TargetState'>;
export type Condition = Schemas['Condition'];
export type QuietHours = Schemas['QuietHours'];
export type TargetSettings = Schemas['TargetSettings'];

type AlertsQuery = NonNullable<paths['/api/v1/alerts']['get']['parameters']['query']>;

const at = (id: number) => ({ params: { path: { id } } });
const of = (pool: string) => ({ path: { pool } });

export const alerts = (query: AlertsQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/alerts', { params: { query }, signal }));
export const acknowledge = (id: number, comment: string) =>
  answer(client.POST('/api/v1/alerts/{id}/acknowledge', { ...at(id), body: { comment } }));

export const rules = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/alert-rules', { params: of(pool), signal }));
export const createRule = (pool: string, body: Schemas['NewRule']) =>
  answer(client.POST('/api/v1/pools/{pool}/alert-rules', { params: of(pool), body }));
/** What is left out stays as it is. */
export const editRule = (id: number, change: Partial<Schemas['RuleChange']>) =>
  answer(client.PATCH('/api/v1/alert-rules/{id}', { ...at(id), body: change as Schemas['RuleChange'] }));
export const deleteRule = (id: number) => answer(client.DELETE('/api/v1/alert-rules/{id}', at(id)));

export const targets = (signal?: Signal) => answer(client.GET('/api/v1/alert-targets', { signal }));
export const createTarget = (body: Schemas['NewTarget']) =>
  answer(client.POST('/api/v1/alert-targets', { body }));
/** What is left out stays as it is; quiet hours that are null end. */
export const editTarget = (id: number, change: Partial<Schemas['TargetChange']>) =>
  answer(client.PATCH('/api/v1/alert-targets/{id}', { ...at(id), body: change as Schemas['TargetChange'] }));
export const deleteTarget = (id: number) => answer(client.DELETE('/api/v1/alert-targets/{id}', at(id)));
export const testTarget = (id: number) => answer(client.POST('/api/v1/alert-targets/{id}/test', at(id)));

export const alertSettings = (signal?: Signal) => answer(client.GET('/api/v1/alert-settings', { signal }));
export const setAlertSettings = (allowed_networks: string[]) =>
  answer(client.PUT('/api/v1/alert-settings', { body: { allowed_networks } }));
