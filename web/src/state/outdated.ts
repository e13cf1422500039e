import type { Event } from '../api/types';

/** Which events make what a page shows outdated, said by the kind of what is shown. */

/** Whatever a crawl of the pool finds. */
export const byCrawl = (pool: string) => (event: Event) => event.type === 'crawl' && event.pool === pool;

/** Whatever a finished task of the pool, or a change of the pool itself, leaves behind. */
export const byWork = (pool: string) => (event: Event) =>
  event.pool === pool && (event.type === 'pool' || endsTask(event));

/** Whatever a finished task of the pool leaves behind. */
export const byEndedTask = (pool: string) => (event: Event) => event.pool === pool && endsTask(event);

const endsTask = (event: Event) => event.type === 'task' && event.task.ended_at !== null;
