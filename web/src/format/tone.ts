import type { NodeStatus, Outcome, PoolState, TaskState } from '../api/types';

/** What a state means to a person at a glance; each tone has a colour and a mark of its own. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'idle';

export const POOL_TONES: Record<PoolState, Tone> = {
  created: 'idle',
  running: 'ok',
  suspended: 'warn',
  uninstalling: 'bad',
};

export const TASK_TONES: Record<TaskState, Tone> = {
  queued: 'idle',
  running: 'busy',
  succeeded: 'ok',
  partial: 'warn',
  failed: 'bad',
  cancelled: 'idle',
  preempted: 'idle',
  interrupted: 'warn',
};

export const OUTCOME_TONES: Record<Outcome, Tone> = {
  not_started: 'idle',
  running: 'busy',
  ok: 'ok',
  unchanged: 'ok',
  unreachable: 'warn',
  refused: 'bad',
  failed: 'bad',
  cancelled: 'idle',
};

export const NODE_TONES: Record<NodeStatus, Tone> = {
  answering: 'ok',
  dial_failed: 'bad',
  connect_failed: 'bad',
  ask_failed: 'warn',
  not_dialled: 'idle',
};

/** Marks that tell outcomes apart without colour. */
export const OUTCOME_MARKS: Record<Outcome, string> = {
  not_started: '',
  running: '…',
  ok: '✓',
  unchanged: '=',
  unreachable: '?',
  refused: '!',
  failed: '✕',
  cancelled: '–',
};

/** Outcomes in the order of urgency. */
export const OUTCOME_ORDER: Outcome[] = [
  'failed',
  'refused',
  'unreachable',
  'running',
  'not_started',
  'cancelled',
  'ok',
  'unchanged',
];
