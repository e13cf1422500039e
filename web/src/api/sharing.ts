/** Calls about share links: made by who manages a pool, opened by anybody who has one. */

import { answer, apiUrl, client, segment } from './http';
import type { components, paths } from './schema';
import type { Noun } from './types';

type Signal = AbortSignal | undefined;
type Schemas = components['schemas'];

export type Share = Noun<'ShareInfo'>;
export type MadeShare = Noun<'MadeShare'>;
export type NewShare = Schemas['NewShare'];
export type ShareView = Schemas['ShareView'];
export type Places = Schemas['Places'];
export type ShareHead = Noun<'ShareHead'>;
export type SharedMap = Noun<'SharedMap'>;
export type SharedNodes = Noun<'SharedNodes'>;
export type SharedNode = Noun<'SharedNode'>;
export type SharedCrawl = Noun<'SharedCrawl'>;
export type SharedNodesQuery = NonNullable<
  paths['/api/v1/share/{token}/nodes']['get']['parameters']['query']
>;

const of = (pool: string) => ({ path: { pool } });
const by = (token: string) => ({ path: { token } });

export const shares = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/shares', { params: of(pool), signal }));
export const createShare = (pool: string, body: NewShare) =>
  answer(client.POST('/api/v1/pools/{pool}/shares', { params: of(pool), body }));
export const revokeShare = (pool: string, id: number) =>
  answer(client.DELETE('/api/v1/pools/{pool}/shares/{id}', { params: { path: { pool, id } } }));

/** The address that a link is given away by. */
export const shareUrl = (token: string) => new URL(`share/${segment(token)}`, document.baseURI).href;

/** Opens a link, which is counted. */
export const openShare = (token: string, signal?: Signal) =>
  answer(client.GET('/api/v1/share/{token}', { params: by(token), signal }));
export const sharedMap = (token: string, signal?: Signal) =>
  answer(client.GET('/api/v1/share/{token}/map', { params: by(token), signal }));
export const sharedNodes = (token: string, query: SharedNodesQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/share/{token}/nodes', { params: { ...by(token), query }, signal }));
export const sharedStats = (token: string, limit: number, signal?: Signal) =>
  answer(client.GET('/api/v1/share/{token}/stats', { params: { ...by(token), query: { limit } }, signal }));
export const sharedNodesCsv = (token: string, query: SharedNodesQuery) =>
  apiUrl(`share/${segment(token)}/nodes.csv`, query);
export const sharedStatsCsv = (token: string) => apiUrl(`share/${segment(token)}/stats.csv`);
