import type { NodeClass } from '../api/types';
import type { Tone } from '../format/tone';

/** How a node behaved over a window, in words. */
export const CLASS_TEXTS: Record<NodeClass, { name: string; means: string }> = {
  online: { name: 'Online', means: 'there the whole time' },
  entered: { name: 'Entered', means: 'came and stayed' },
  left: { name: 'Left', means: 'was there and went' },
  one_off: { name: 'One-off', means: 'came and went once' },
  dangling: { name: 'Dangling', means: 'came or went more than once' },
  offline: { name: 'Offline', means: 'not there, but before' },
};

export const CLASSES = Object.keys(CLASS_TEXTS) as NodeClass[];

export const CLASS_TONES: Record<NodeClass, Tone> = {
  online: 'ok',
  entered: 'ok',
  left: 'bad',
  one_off: 'warn',
  dangling: 'warn',
  offline: 'idle',
};
