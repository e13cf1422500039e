/** Every call of the manager's API that the application makes, by noun. */

import { apiUrl, request, requestText, segment, upload, type Query } from './http';
import type {
  Action,
  Bundle,
  ClientConfig,
  Host,
  HostList,
  KeyInfo,
  MapPoints,
  NodePage,
  Outcome,
  Page,
  Person,
  PinnedKey,
  Pool,
  PoolFile,
  PoolSettings,
  PoolSummary,
  Snapshot,
  Task,
  TaskHost,
  Token,
} from './types';

type Signal = AbortSignal | undefined;
const pool = (name: string) => `pools/${segment(name)}`;

export const login = (name: string, password: string) =>
  request<Person>('POST', 'login', { json: { name, password } });
export const logout = () => request<null>('POST', 'logout');
export const me = (signal?: Signal) => request<Person>('GET', 'me', { signal });
export const version = (signal?: Signal) => request<{ version: string }>('GET', 'version', { signal });

export const tokens = (signal?: Signal) => request<Token[]>('GET', 'tokens', { signal });
export const createToken = (name: string) =>
  request<{ token: string; id: number }>('POST', 'tokens', { json: { name } });
export const deleteToken = (id: number) => request<null>('DELETE', `tokens/${id}`);

export const pools = (signal?: Signal) => request<PoolSummary[]>('GET', 'pools', { signal });
export const poolByName = (name: string, signal?: Signal) =>
  request<PoolSummary>('GET', pool(name), { signal });
export const createPool = (body: { name: string; hosts?: string } & Partial<PoolSettings>) =>
  request<Pool>('POST', 'pools', { json: body });
export const editPool = (name: string, body: Partial<PoolSettings>) =>
  request<Pool>('PATCH', pool(name), { json: body });

export const parseHosts = (text: string, signal?: Signal) =>
  request<HostList>('POST', 'hosts/parse', { text, signal });
export const hosts = (name: string, query: Query, signal?: Signal) =>
  request<Page<Host>>('GET', `${pool(name)}/hosts`, { query, signal });
export const putHosts = (name: string, text: string) =>
  request<HostList>('PUT', `${pool(name)}/hosts`, { text });
export const hostKey = (name: string, host: number, signal?: Signal) =>
  request<PinnedKey | null>('GET', `${pool(name)}/hosts/${host}/key`, { signal });
export const trustHostKey = (name: string, host: number, fingerprint: string) =>
  request<null>('POST', `${pool(name)}/hosts/${host}/trust`, { json: { fingerprint } });

export const putKey = (name: string, key: string, passphrase?: string) =>
  request<KeyInfo>('PUT', `${pool(name)}/key`, { json: passphrase ? { key, passphrase } : { key } });
export const generateKey = (name: string) => request<KeyInfo>('POST', `${pool(name)}/key/generate`);

export const bundles = (signal?: Signal) => request<Bundle[]>('GET', 'bundles', { signal });
export const uploadBundle = (file: File, progress: (share: number) => void) =>
  upload<Bundle>('bundles', { name: file.name }, file, progress);

export const start = (name: string, action: Action, params: Record<string, unknown> = {}) =>
  request<Task>('POST', `${pool(name)}/${action}`, { json: params });

export const tasks = (query: Query, signal?: Signal) =>
  request<Page<Task>>('GET', 'tasks', { query, signal });
export const task = (id: number, signal?: Signal) => request<Task>('GET', `tasks/${id}`, { signal });
export const taskHosts = (id: number, query: Query, signal?: Signal) =>
  request<Page<TaskHost>>('GET', `tasks/${id}/hosts`, { query, signal });
export const hostOutput = (id: number, host: number, signal?: Signal) =>
  requestText(`tasks/${id}/hosts/${host}/output`, { signal });
export const cancelTask = (id: number) => request<Task>('POST', `tasks/${id}/cancel`, { json: {} });
export const retryTask = (id: number, only?: Outcome[]) =>
  request<Task>('POST', `tasks/${id}/retry`, { json: only ? { only } : {} });

export const snapshots = (name: string, query: Query, signal?: Signal) =>
  request<Snapshot[]>('GET', `${pool(name)}/snapshots`, { query, signal });
export const nodes = (name: string, query: Query, signal?: Signal) =>
  request<NodePage>('GET', `${pool(name)}/nodes`, { query, signal });
export const nodesCsv = (name: string, query: Query) => apiUrl(`${pool(name)}/nodes.csv`, query);
export const statsCsv = (name: string, query: Query = {}) => apiUrl(`${pool(name)}/stats.csv`, query);
export const mapPoints = (name: string, query: Query, signal?: Signal) =>
  request<MapPoints>('GET', `${pool(name)}/map`, { query, signal });

export const files = (name: string, signal?: Signal) =>
  request<PoolFile[]>('GET', `${pool(name)}/files`, { signal });
export const fileUrl = (name: string, path: string) =>
  apiUrl(`${pool(name)}/files/${path.split('/').map(segment).join('/')}`);
export const connect = (name: string, signal?: Signal) =>
  request<ClientConfig[]>('GET', `${pool(name)}/connect`, { signal });
