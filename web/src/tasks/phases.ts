import type { Action, Step, TaskHost } from '../api/types';
import { STEP_ORDER } from '../format/steps';

/** How far the hosts of a task are, by the step that they are at. */
export interface PhaseCount {
  step: Step;
  /** Hosts that are at this step now. */
  here: number;
  /** Hosts that went past it, or ended right. */
  past: number;
  /** Hosts that ended here and are not right. */
  stuck: number;
}

/** The steps that an action goes through, in order; others are shown when a host is at one. */
const USUAL: Partial<Record<Action, Step[]>> = {
  install: ['connect', 'status', 'receive', 'configure', 'activate', 'start', 'verify'],
  upgrade: ['connect', 'status', 'receive', 'configure', 'activate', 'start', 'verify'],
  check: ['connect', 'status', 'verify'],
  suspend: ['connect', 'status', 'stop'],
  resume: ['connect', 'status', 'start', 'verify'],
  stop: ['connect', 'status', 'stop', 'remove'],
  uninstall_check: ['connect', 'status', 'stop', 'remove'],
  gather_logs: ['connect', 'logs'],
  gather_data: ['connect', 'data'],
  gather_usage: ['connect', 'usage'],
  rotate_key: ['connect', 'configure', 'verify'],
};

/** The phases of a task that works on hosts. */
export function phasesOf(action: Action, hosts: readonly TaskHost[]): PhaseCount[] {
  const seen = new Set(hosts.flatMap((host) => host.step ?? []));
  const steps = (STEP_ORDER as Step[]).filter((step) => USUAL[action]?.includes(step) || seen.has(step));
  return steps.map((step, at) => {
    const count = { step, here: 0, past: 0, stuck: 0 };
    for (const host of hosts) {
      const right = host.outcome === 'ok' || host.outcome === 'unchanged';
      const reached = host.step === null ? -1 : steps.indexOf(host.step);
      if (right || reached > at) count.past += 1;
      else if (reached === at && host.outcome === 'running') count.here += 1;
      else if (reached === at && host.outcome !== 'not_started') count.stuck += 1;
    }
    return count;
  });
}
