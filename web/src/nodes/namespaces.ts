import { nodes, type When } from '../api/calls';
import { topology } from '../api/history';

/**
 * The namespaces of a crawl's nodes, sorted. Most pools have one, which the first and the last node
 * by namespace tell; only where these differ are all nodes looked at.
 */
export async function namespacesOf(pool: string, when: When, signal?: AbortSignal): Promise<string[]> {
  const end = async (order: 'asc' | 'desc') => {
    const page = await nodes(pool, { ...when, sort: 'namespace', order, limit: 1 }, signal);
    return page.items[0]?.namespace ?? undefined;
  };
  const [first, last] = await Promise.all([end('asc'), end('desc')]);
  if (first === last) return first === undefined ? [] : [first];
  return (await topology(pool, when, signal)).namespaces.sort();
}
