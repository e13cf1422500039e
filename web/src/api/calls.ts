/** Every call of the manager's API that the application makes, by noun. */

import { answer, apiUrl, asText, client, segment, upload } from './http';
import type { paths } from './schema';
import type {
  Action,
  Bundle,
  Decision,
  Fault,
  GeoSettings,
  MapSettings,
  NewToken,
  Outcome,
  PoolSettings,
  Rolling,
  SchedulePatch,
  SshAccess,
} from './types';

type Signal = AbortSignal | undefined;
type Params<Path extends keyof paths> = paths[Path] extends {
  get: { parameters: { query?: infer Q } };
}
  ? NonNullable<Q>
  : never;

export type HostsQuery = Params<'/api/v1/pools/{pool}/hosts'>;
export type NodesQuery = Params<'/api/v1/pools/{pool}/nodes'>;
export type SnapshotsQuery = Params<'/api/v1/pools/{pool}/snapshots'>;
export type TasksQuery = Params<'/api/v1/tasks'>;
export type TaskHostsQuery = Params<'/api/v1/tasks/{id}/hosts'>;

/** Which crawl is looked at: by its number, or the one nearest to a time; the newest when neither is given. */
export interface When {
  crawl?: number;
  at?: string;
}

const of = (pool: string) => ({ path: { pool } });

export const login = (name: string, password: string, code: string | null) =>
  answer(client.POST('/api/v1/login', { body: { name, password, code } }));
export const logout = () => answer(client.POST('/api/v1/logout'));
export const me = () => answer(client.GET('/api/v1/me'));
export const version = (signal?: Signal) => answer(client.GET('/api/v1/version', { signal }));

export const tokens = (signal?: Signal) => answer(client.GET('/api/v1/tokens', { signal }));
export const createToken = (body: NewToken) => answer(client.POST('/api/v1/tokens', { body }));
export const deleteToken = (id: number) =>
  answer(client.DELETE('/api/v1/tokens/{id}', { params: { path: { id } } }));

export const pools = (signal?: Signal) => answer(client.GET('/api/v1/pools', { signal }));
export const poolByName = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}', { params: of(pool), signal }));
export const createPool = (body: PoolSettings & { name: string; hosts: string }) =>
  answer(client.POST('/api/v1/pools', { body }));
/** A pool whose hosts are processes of the manager's machine; nothing is installed yet. */
export const createDemo = () => answer(client.POST('/api/v1/demo', { body: {} }));
export const editPool = (pool: string, body: PoolSettings) =>
  answer(client.PATCH('/api/v1/pools/{pool}', { params: of(pool), body }));

export const parseHosts = (text: string, signal?: Signal) =>
  answer(client.POST('/api/v1/hosts/parse', { body: text, ...asText, signal }));
/** The hosts of an OpenSSH client configuration; nothing is stored. */
export const importHosts = (text: string, signal?: Signal) =>
  answer(client.POST('/api/v1/hosts/import', { body: text, ...asText, signal }));
export const hosts = (pool: string, query: HostsQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/hosts', { params: { ...of(pool), query }, signal }));
export const hostsCsv = (pool: string, query: HostsQuery) =>
  apiUrl(`pools/${segment(pool)}/hosts.csv`, query);
export const putHosts = (pool: string, text: string) =>
  answer(client.PUT('/api/v1/pools/{pool}/hosts', { params: of(pool), body: text, ...asText }));
export const hostKeys = (pool: string, host: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/hosts/{host}/key', { params: { path: { pool, host } }, signal }));
export const trustHostKey = (pool: string, host: string, fingerprint: string) =>
  answer(
    client.POST('/api/v1/pools/{pool}/hosts/{host}/trust', {
      params: { path: { pool, host } },
      body: { fingerprint },
    }),
  );

export const key = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/key', { params: of(pool), signal }));
export const putKey = (pool: string, key: string, passphrase: string, certificate = '') =>
  answer(
    client.PUT('/api/v1/pools/{pool}/key', {
      params: of(pool),
      body: {
        key,
        passphrase: passphrase === '' ? null : passphrase,
        certificate: certificate.trim() === '' ? null : certificate,
      },
    }),
  );
export const generateKey = (pool: string) =>
  answer(client.POST('/api/v1/pools/{pool}/key/generate', { params: of(pool) }));

export const sshAccess = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/ssh', { params: of(pool), signal }));
export const putSshAccess = (pool: string, body: SshAccess) =>
  answer(client.PUT('/api/v1/pools/{pool}/ssh', { params: of(pool), body }));
/** What a call about the key of one jump host, or without one of all of them, says beside its body. */
const ofJump = (pool: string, jump: string | undefined) => ({
  ...of(pool),
  ...(jump === undefined ? {} : { query: { jump } }),
});
export const putJumpKey = (pool: string, jump: string | undefined, key: string, passphrase: string) =>
  answer(
    client.PUT('/api/v1/pools/{pool}/ssh/jump-key', {
      params: ofJump(pool, jump),
      body: { key, passphrase: passphrase === '' ? null : passphrase },
    }),
  );
export const deleteJumpKey = (pool: string, jump?: string) =>
  answer(client.DELETE('/api/v1/pools/{pool}/ssh/jump-key', { params: ofJump(pool, jump) }));
export const trustJump = (pool: string, jump: string, fingerprint: string) =>
  answer(client.POST('/api/v1/pools/{pool}/ssh/trust', { params: of(pool), body: { jump, fingerprint } }));
export const putKnownHosts = (pool: string, text: string) =>
  answer(client.PUT('/api/v1/pools/{pool}/known-hosts', { params: of(pool), body: text, ...asText }));

export const bundles = (signal?: Signal) => answer(client.GET('/api/v1/bundles', { signal }));
export const uploadBundle = (file: File, progress: (share: number) => void) =>
  upload<Bundle>('bundles', { name: file.name }, file, progress);

/** What an action can be told; the manager refuses what it doesn't know. */
export interface ActionParams {
  bundle?: string;
  rolling?: Rolling;
  /** Of upgrade: what changes before hosts are brought to it. */
  settings?: { namespace: string };
  /** Of upgrade: nodes of another Brunet bundle share the namespace of the old one. */
  keep_namespace?: boolean;
  /** Of stop: what becomes of the pool here. */
  keep?: boolean;
  forget?: boolean;
  /** Of gather usage: only so many hosts. */
  sample?: number;
  /** Of fault: what is done, and to which nodes. */
  kind?: Fault['kind'];
  share?: Fault['share'];
  labels?: Fault['labels'];
  seed?: Fault['seed'];
}

/**
 * Asks for a task; the same task when one like it waits already. Only install and upgrade take a
 * bundle, which the type of a path that is put together can't say.
 */
export const start = (pool: string, action: Action, body: ActionParams = {}) =>
  answer(client.POST(`/api/v1/pools/{pool}/${action}`, { params: of(pool), body: body as never }));

export const tasks = (query: TasksQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/tasks', { params: { query }, signal }));
export const tasksCsv = (query: TasksQuery) => apiUrl('tasks.csv', query);
export const task = (id: number, signal?: Signal) =>
  answer(client.GET('/api/v1/tasks/{id}', { params: { path: { id } }, signal }));
export const taskHosts = (id: number, query: TaskHostsQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/tasks/{id}/hosts', { params: { path: { id }, query }, signal }));
export const hostOutput = (id: number, host: number, signal?: Signal) =>
  answer(
    client.GET('/api/v1/tasks/{id}/hosts/{host}/output', {
      params: { path: { id, host } },
      parseAs: 'text',
      signal,
    }),
    // An answer without a body is read as nothing at all.
  ).then((text: string | undefined) => text ?? '');

export const rollout = (id: number, signal?: Signal) =>
  answer(client.GET('/api/v1/tasks/{id}/rollout', { params: { path: { id } }, signal }));
export const decideRollout = (id: number, decision: Decision) =>
  answer(client.POST('/api/v1/tasks/{id}/continue', { params: { path: { id } }, body: { decision } }));

export const cancelTask = (id: number) =>
  answer(client.POST('/api/v1/tasks/{id}/cancel', { params: { path: { id } } }));
/** Which hosts of a task are done again. */
interface Again {
  only?: Outcome[];
  hosts?: number[];
}

/** Does hosts of an ended task again: those that are named or ended so; all that are not right when neither is given. */
export const retryTask = (id: number, { only = [], hosts = [] }: Again = {}) =>
  answer(
    client.POST('/api/v1/tasks/{id}/retry', {
      params: { path: { id } },
      body: { only, hosts },
    }),
  );

export const schedules = (pool: string | undefined, signal?: Signal) =>
  answer(client.GET('/api/v1/schedules', { params: { query: { pool } }, signal }));
export const previewSchedule = (cron: string, time_zone: string, signal?: Signal) =>
  answer(client.GET('/api/v1/schedules/preview', { params: { query: { cron, time_zone } }, signal }));
export const createSchedule = (pool: string, body: SchedulePatch) =>
  answer(client.POST('/api/v1/pools/{pool}/schedules', { params: of(pool), body: body as never }));
export const editSchedule = (id: number, body: SchedulePatch) =>
  answer(client.PATCH('/api/v1/schedules/{id}', { params: { path: { id } }, body: body as never }));
export const deleteSchedule = (id: number) =>
  answer(client.DELETE('/api/v1/schedules/{id}', { params: { path: { id } } }));
export const runSchedule = (id: number) =>
  answer(client.POST('/api/v1/schedules/{id}/run', { params: { path: { id } } }));

export const snapshots = (pool: string, query: SnapshotsQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/snapshots', { params: { ...of(pool), query }, signal }));
export const nodes = (pool: string, query: NodesQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/nodes', { params: { ...of(pool), query }, signal }));
export const node = (pool: string, address: string, when: When, signal?: Signal) =>
  answer(
    client.GET('/api/v1/pools/{pool}/nodes/{address}', {
      params: { path: { pool, address }, query: when },
      signal,
    }),
  );
export const nodesFile = (pool: string, query: NodesQuery, form: 'csv' | 'json') =>
  apiUrl(`pools/${segment(pool)}/nodes.${form}`, query);
export const mapPoints = (pool: string, when: When, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/map', { params: { ...of(pool), query: when }, signal }));

export const files = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/files', { params: of(pool), signal }));
export const fileUrl = (pool: string, path: string) =>
  apiUrl(`pools/${segment(pool)}/files/${path.split('/').map(segment).join('/')}`);
export const connect = (pool: string, signal?: Signal) =>
  answer(client.GET('/api/v1/pools/{pool}/connect', { params: of(pool), signal }));

export const geo = (signal?: Signal) => answer(client.GET('/api/v1/geo', { signal }));
export const setGeo = (body: GeoSettings) => answer(client.PUT('/api/v1/geo', { body }));
export const geoLookup = (ip: string, signal?: Signal) =>
  answer(client.GET('/api/v1/geo/lookup', { params: { query: { ip } }, signal }));
export const geoOverrides = (signal?: Signal) =>
  answer(client.GET('/api/v1/geo/overrides', { parseAs: 'text', signal }));
export const setGeoOverrides = (text: string) =>
  answer(client.PUT('/api/v1/geo/overrides', { body: text, ...asText }));

export const mapSettings = (signal?: Signal) => answer(client.GET('/api/v1/settings/map', { signal }));
export const setMapSettings = (body: MapSettings) => answer(client.PUT('/api/v1/settings/map', { body }));
export const sshFacts = (signal?: Signal) => answer(client.GET('/api/v1/settings/ssh', { signal }));
