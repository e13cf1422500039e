import type { TaskHost } from '../api/types';
import { STEP_ORDER } from '../format/steps';
import { OUTCOME_ORDER } from '../format/tone';
import { words } from '../format/words';
import type { Group } from './layout';

export type GroupBy = 'none' | 'outcome' | 'step';

export interface Grouped {
  groups: Group[];
  /** The hosts in the order of the groups. */
  hosts: TaskHost[];
}

/** Hosts put into groups; within a group the order stays, so that squares don't jump about. */
export function groupHosts(hosts: readonly TaskHost[], by: GroupBy): Grouped {
  if (by === 'none') return { groups: [{ label: 'Hosts', hosts: hosts.length }], hosts: [...hosts] };
  const keyOf = (host: TaskHost) => (by === 'outcome' ? host.outcome : (host.step ?? 'not_started'));
  const buckets = new Map<string, TaskHost[]>();
  for (const host of hosts) {
    const bucket = buckets.get(keyOf(host));
    if (bucket) bucket.push(host);
    else buckets.set(keyOf(host), [host]);
  }
  const known: readonly string[] = by === 'step' ? ['not_started', ...STEP_ORDER] : OUTCOME_ORDER;
  const entries = [...buckets].sort(([a], [b]) => known.indexOf(a) - known.indexOf(b));
  return {
    groups: entries.map(([key, bucket]) => ({ label: words(key), hosts: bucket.length })),
    hosts: entries.flatMap(([, bucket]) => bucket),
  };
}
