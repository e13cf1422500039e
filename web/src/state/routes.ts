/** Which page an address means. Pure: the router and the tests use it alike. */

export type PoolTab =
  'overview' | 'nodes' | 'hosts' | 'map' | 'stats' | 'tasks' | 'files' | 'connect' | 'settings';

export const POOL_TABS: PoolTab[] = [
  'overview',
  'nodes',
  'hosts',
  'map',
  'stats',
  'tasks',
  'files',
  'connect',
  'settings',
];

export type Route =
  | { page: 'login' }
  | { page: 'pools' }
  | { page: 'new_pool' }
  | { page: 'pool'; pool: string; tab: PoolTab }
  | { page: 'tasks' }
  | { page: 'task'; task: number }
  | { page: 'settings' }
  | { page: 'not_found'; path: string };

/** The route of a path that is relative to the application's base: no leading slash. */
export function routeOf(path: string): Route {
  const parts = path.split('/').filter((part) => part !== '');
  const [first, second, third] = parts.map(decode);
  const missing: Route = { page: 'not_found', path };
  if (first === undefined) return { page: 'pools' };
  if (parts.length === 1 && (first === 'login' || first === 'tasks' || first === 'settings')) {
    return { page: first };
  }
  if (first === 'tasks' && parts.length === 2) {
    return /^\d{1,15}$/.test(second ?? '') ? { page: 'task', task: Number(second) } : missing;
  }
  if (first !== 'pools' || second === undefined || parts.length > 3) return missing;
  if (second === 'new' && parts.length === 2) return { page: 'new_pool' };
  const tab = third === undefined ? 'overview' : POOL_TABS.find((tab) => tab === third);
  return tab ? { page: 'pool', pool: second, tab } : missing;
}

/** The path of a pool's tab. */
export function poolPath(pool: string, tab: PoolTab = 'overview'): string {
  const base = `pools/${encodeURIComponent(pool)}`;
  return tab === 'overview' ? base : `${base}/${tab}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
