import type { RunState, StepState } from '../api/flow';
import type { Tone } from '../format/tone';

export const RUN_TONES: Record<RunState, Tone> = {
  running: 'busy',
  succeeded: 'ok',
  failed: 'bad',
  cancelled: 'idle',
};

export const STEP_TONES: Record<StepState, Tone> = {
  waiting: 'idle',
  running: 'busy',
  awaits_approval: 'warn',
  succeeded: 'ok',
  partial: 'warn',
  failed: 'bad',
  cancelled: 'idle',
  skipped: 'idle',
};

export const RUN_STATES: RunState[] = ['running', 'succeeded', 'failed', 'cancelled'];
