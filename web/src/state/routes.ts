/**
 * Which page an address means. Pure: the router and the tests use it alike.
 *
 * A pattern's parts are words, `:name` for any text, or `*name` at the end for any number of parts.
 */

/** Pages outside a pool, by their pattern; the most special first. */
const PAGES = {
  '': 'pools',
  login: 'login',
  'pools/new': 'new_pool',
  tasks: 'tasks',
  'tasks/:task': 'task',
  schedules: 'schedules',
  workflows: 'workflows',
  'workflows/:workflow': 'workflow',
  'new-workflow': 'new_workflow',
  'workflow-runs': 'workflow_runs',
  'workflow-runs/:run': 'workflow_run',
  alerts: 'alerts',
  'alerts/targets': 'alert_targets',
  users: 'users',
  roles: 'roles',
  audit: 'audit',
  'share/:token': 'share',
  settings: 'settings',
  'settings/:section': 'settings',
} as const;

/** Pages of a pool, by their pattern behind `pools/<name>/`. */
const POOL_PAGES = {
  '': 'overview',
  nodes: 'nodes',
  'nodes/:address': 'node',
  hosts: 'hosts',
  deployed: 'deployed',
  map: 'map',
  ring: 'ring',
  stats: 'stats',
  sessions: 'sessions',
  diff: 'diff',
  tasks: 'tasks',
  schedules: 'schedules',
  alerts: 'alerts',
  files: 'files',
  'files/*path': 'files',
  connect: 'connect',
  settings: 'settings',
} as const;

export type PageName = (typeof PAGES)[keyof typeof PAGES];
export type PoolPage = (typeof POOL_PAGES)[keyof typeof POOL_PAGES];

/** The pages of a pool that have a tab, in its order. */
export const POOL_TABS: readonly PoolPage[] = [
  'overview',
  'nodes',
  'hosts',
  'deployed',
  'map',
  'ring',
  'stats',
  'sessions',
  'tasks',
  'schedules',
  'alerts',
  'files',
  'connect',
  'settings',
];

/** Pages without a tab of their own, and the tab that they belong to. */
const TAB_OF: Partial<Record<PoolPage, PoolPage>> = { node: 'nodes', diff: 'stats' };

/** The tab under which a page of a pool is found. */
export const tabOf = (page: PoolPage): PoolPage => TAB_OF[page] ?? page;

/** What the variable parts of an address say, decoded. */
export type Params = Readonly<Record<string, string>>;

export type Route =
  | { page: PageName; params: Params }
  | { page: 'pool'; tab: PoolPage; pool: string; params: Params }
  | { page: 'not_found'; params: Params };

/** Variable parts that are numbers: another text there is no page. */
const NUMBERS = ['task', 'run', 'schedule'];

/** The route of a path that is relative to the application's base: no leading slash. */
export function routeOf(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  for (const [pattern, page] of Object.entries(PAGES)) {
    const params = match(pattern, parts);
    if (params) return { page, params };
  }
  for (const [pattern, tab] of Object.entries(POOL_PAGES)) {
    const params = match(`pools/:pool/${pattern}`, parts);
    if (params) return { page: 'pool', tab, pool: params['pool'] ?? '', params };
  }
  return { page: 'not_found', params: { path } };
}

/** The path of a pool's page. */
export function poolPath(pool: string, tab: PoolPage = 'overview'): string {
  const base = `pools/${encodeURIComponent(pool)}`;
  return tab === 'overview' ? base : `${base}/${tab}`;
}

/** The path of the page of one node. */
export function nodePath(pool: string, address: string): string {
  return `${poolPath(pool, 'nodes')}/${encodeURIComponent(address)}`;
}

function match(pattern: string, parts: readonly string[]): Params | undefined {
  const wanted = pattern.split('/').filter((part) => part !== '');
  const params: Record<string, string> = {};
  for (const [i, want] of wanted.entries()) {
    if (want.startsWith('*')) {
      params[want.slice(1)] = parts.slice(i).map(decode).join('/');
      return params;
    }
    const part = parts[i];
    if (part === undefined) return undefined;
    if (!want.startsWith(':')) {
      if (part !== want) return undefined;
      continue;
    }
    const name = want.slice(1);
    if (NUMBERS.includes(name) && !/^\d{1,15}$/.test(part)) return undefined;
    params[name] = decode(part);
  }
  return parts.length === wanted.length ? params : undefined;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
