/** Calls about what crawls found over time: statistics, sessions, the ring, and what is deployed. */

import type { Order } from '../components/DataTable.svelte';
import type { When } from './calls';
import { answer, apiUrl, client, segment } from './http';
import type { DeployedState } from './types';

type Signal = AbortSignal | undefined;

/** A part of a pool's history: crawls that began at `from` or later and before `to` (RFC 3339). */
export interface TimeSpan {
  from?: string;
  to?: string;
}

interface Slice {
  q?: string;
  sort?: string;
  order?: Order;
  limit?: number;
  offset?: number;
}

const of = (pool: string) => ({ path: { pool } });

export const stats = (pool: string, span: TimeSpan, buckets: number, signal?: Signal) =>
  answer(
    client.GET('/api/v1/pools/{pool}/stats', {
      params: { ...of(pool), query: { ...span, buckets } },
      signal,
    }),
  );
/** One row per crawl of the range. */
export const statsFile = (pool: string, span: TimeSpan, form: 'csv' | 'json') =>
  apiUrl(`pools/${segment(pool)}/stats.${form}`, { ...span });

export const topology = (pool: string, when: When, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/topology', { params: { ...of(pool), query: when }, signal }));

export const nodeHistory = (pool: string, address: string, span: TimeSpan, points: number, signal?: Signal) =>
  answer(
    client.GET('/api/v1/pools/{pool}/nodes/{address}/history', {
      params: { path: { pool, address }, query: { ...span, points } },
      signal,
    }),
  );
export const nodePresence = (pool: string, address: string, span: TimeSpan, signal?: Signal) =>
  answer(
    client.GET('/api/v1/pools/{pool}/nodes/{address}/sessions', {
      params: { path: { pool, address }, query: { ...span } },
      signal,
    }),
  );

export const churn = (pool: string, span: TimeSpan, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/churn', { params: { ...of(pool), query: { ...span } }, signal }));
export const sessions = (pool: string, query: TimeSpan & Slice, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/sessions', { params: { ...of(pool), query }, signal }));
export const sessionsFile = (
  pool: string,
  query: TimeSpan & Omit<Slice, 'limit' | 'offset'>,
  form: 'csv' | 'json',
) => apiUrl(`pools/${segment(pool)}/sessions.${form}`, { ...query });

/** What changed from one crawl to another; without `from`, from the one before. */
export const diff = (pool: string, query: { from?: number; to?: number }, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/diff', { params: { ...of(pool), query }, signal }));

export type DeployedQuery = When & Slice & { state?: string };
export const deployed = (pool: string, query: DeployedQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/deployed', { params: { ...of(pool), query }, signal }));
export const deployedFile = (pool: string, query: DeployedQuery, form: 'csv' | 'json') =>
  apiUrl(`pools/${segment(pool)}/deployed.${form}`, { ...query });
/** Asks for a task that makes these hosts, or all of these states, right. */
export const repair = (pool: string, what: { hosts: number[]; state: DeployedState[] }) =>
  answer(client.POST('/api/v1/pools/{pool}/repair', { params: of(pool), body: what }));
