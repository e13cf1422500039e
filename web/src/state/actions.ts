import type { Action, Person, PoolSummary } from '../api/types';
import { whyNotPool } from './may';

/** An action as the person may start it now: `why` says why not. */
export interface Offer {
  action: Action;
  why: string | undefined;
}

/** The button that matters most in each state, then the menu's. */
const OFFERED: Record<PoolSummary['state'], { main: Action[]; more: Action[] }> = {
  created: { main: ['install'], more: ['stop'] },
  running: {
    main: ['crawl', 'check'],
    more: ['upgrade', 'gather_logs', 'gather_data', 'gather_usage', 'fault', 'rotate_key', 'suspend', 'stop'],
  },
  suspended: {
    main: ['resume'],
    more: ['upgrade', 'gather_logs', 'gather_data', 'gather_usage', 'rotate_key', 'stop'],
  },
  uninstalling: { main: ['uninstall_check'], more: ['stop'] },
};

/** Actions of a pool for its state, each with the reason when it can't be started. */
export function offers(pool: PoolSummary, person: Person | undefined): { main: Offer[]; more: Offer[] } {
  const offer = (action: Action): Offer => ({
    action,
    why: whyNotPool(person, pool) ?? whyNot(pool, action),
  });
  const { main, more } = OFFERED[pool.state];
  return { main: main.map(offer), more: more.map(offer) };
}

function whyNot(pool: PoolSummary, action: Action): string | undefined {
  const same = pool.tasks.find((task) => task.action === action);
  if (same) return `Task #${same.id} does that already.`;
  const stop = pool.tasks.find((task) => task.action === 'stop');
  if (stop && (action === 'install' || action === 'upgrade')) return `Task #${stop.id} stops the pool.`;
  if (pool.hosts.total === 0 && action === 'install') return 'The pool has no hosts yet.';
  if (action === 'rotate_key' && pool.transport === 'local') return 'Its hosts are reached without a key.';
  return undefined;
}

/** Actions that ask before they start, because nodes stop or files go. */
export function asksFirst(action: Action): boolean {
  return ['install', 'upgrade', 'fault', 'rotate_key', 'suspend', 'stop'].includes(action);
}
