import type { Counts, Outcome, Task } from '../api/types';

export interface Progress {
  done: number;
  running: number;
  total: number;
  /** Hosts that are as the task wants them. */
  right: number;
}

/** Sums of a task's host counts. */
export function progressOf(counts: Counts): Progress {
  const of = (outcome: Outcome) => counts[outcome] ?? 0;
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0);
  return {
    total,
    done: total - of('not_started') - of('running'),
    running: of('running'),
    right: of('ok') + of('unchanged'),
  };
}

/** Too few finished hosts tell nothing about the rate. */
const DONE_MIN = 3;

/** Hosts per second so far, and the time left at that rate in milliseconds; unknown at the start. */
export function paceOf(task: Task, now: number): { rate: number; leftMs: number } | undefined {
  const { done, total } = progressOf(task.counts);
  if (task.state !== 'running' || !task.started_at || done < DONE_MIN) return undefined;
  const elapsed = now - Date.parse(task.started_at);
  if (!(elapsed > 0)) return undefined;
  return { rate: (done / elapsed) * 1000, leftMs: (elapsed / done) * (total - done) };
}

/** The time that a task took, or takes so far, in milliseconds. */
export function elapsedMs(task: Task, now: number): number | undefined {
  if (!task.started_at) return undefined;
  const end = task.ended_at ? Date.parse(task.ended_at) : now;
  return Math.max(0, end - Date.parse(task.started_at));
}

/** Hosts that a retry would do again. */
export const RETRIED: Outcome[] = ['failed', 'unreachable', 'refused', 'cancelled', 'not_started'];

export function retryCount(counts: Counts): number {
  return RETRIED.reduce((sum, outcome) => sum + (counts[outcome] ?? 0), 0);
}
