import { nodes } from '../api/calls';

/** The namespaces of the newest crawl's nodes: those with most nodes first. */
export async function namespacesOf(pool: string, signal?: AbortSignal): Promise<string[]> {
  const page = await nodes(pool, { limit: 1 }, signal);
  return page.namespaces.map(({ name }) => name);
}
