import type { DeployedState } from '../api/types';
import type { Tone } from '../format/tone';

/** How a host and its node stand, in words; `repairable`: a repair can make it right. */
export const DEPLOYED_TEXTS: Record<
  DeployedState,
  { name: string; means: string; tone: Tone; repairable: boolean }
> = {
  running_seen: {
    name: 'Runs and was seen',
    means: 'Its node answers in the overlay and is what it should be.',
    tone: 'ok',
    repairable: false,
  },
  running_not_seen: {
    name: 'Runs, not seen',
    means: 'Its node process is up, but did not answer in the overlay.',
    tone: 'warn',
    repairable: true,
  },
  seen_wrong: {
    name: 'Seen, but wrong',
    means: 'Its node answers with another package, namespace or version than the pool’s.',
    tone: 'warn',
    repairable: true,
  },
  installed_not_running: {
    name: 'Installed, not running',
    means: 'The package is there, the node process is not up.',
    tone: 'bad',
    repairable: true,
  },
  not_installed: {
    name: 'Not installed',
    means: 'Nothing is installed on it.',
    tone: 'bad',
    repairable: true,
  },
  unreachable: {
    name: 'Unreachable',
    means: 'It could not be reached, and its node did not answer.',
    tone: 'bad',
    repairable: true,
  },
  unknown: { name: 'Unknown', means: 'Nobody looked at it yet.', tone: 'idle', repairable: true },
  seen_not_ours: {
    name: 'Seen, not ours',
    means: 'A node that answers and is on no host of the pool.',
    tone: 'idle',
    repairable: false,
  },
};

export const DEPLOYED_STATES = Object.keys(DEPLOYED_TEXTS) as DeployedState[];
