import type { Condition } from '../api/watching';
import type { Action } from '../api/types';
import { bytes } from '../format/bytes';
import { words } from '../format/words';

export type Kind = Condition['kind'];

/** What a rule can watch, in words. */
export const KINDS: { kind: Kind; label: string; hint: string }[] = [
  { kind: 'consistency_below', label: 'Consistency is low', hint: 'of the overlay, in several crawls' },
  { kind: 'nodes_below', label: 'Few nodes answer', hint: 'of the pool’s hosts, in the newest crawl' },
  { kind: 'host_unreachable', label: 'A host is unreachable', hint: 'for some time' },
  { kind: 'task_failed', label: 'A task failed', hint: 'the alert is over when one like it succeeds' },
  { kind: 'disk_below', label: 'A disk is nearly full', hint: 'under the install path of a host' },
  { kind: 'version_mismatch', label: 'A host has another package', hint: 'than the pool, and runs it' },
  {
    kind: 'host_key_changed',
    label: 'A host key changed',
    hint: 'the host shows another than its pinned one',
  },
];

/** A condition as a person types it. */
export interface ConditionForm {
  kind: Kind;
  /** Percent, as text. */
  below: string;
  crawls: string;
  of: string;
  nodes: string;
  minutes: string;
  actions: Action[];
  partial: boolean;
  gigabytes: string;
}

export function emptyCondition(): ConditionForm {
  return {
    kind: 'nodes_below',
    below: '95',
    crawls: '2',
    of: '3',
    nodes: '90',
    minutes: '15',
    actions: [],
    partial: false,
    gigabytes: '1',
  };
}

/** As many bytes as disks are sold by. */
const GIGABYTE = 1_000_000_000;

export function formOfCondition(condition: Condition): ConditionForm {
  const form = { ...emptyCondition(), kind: condition.kind };
  switch (condition.kind) {
    case 'consistency_below':
      return {
        ...form,
        below: String(Math.round(condition.below * 10_000) / 100),
        crawls: String(condition.crawls),
        of: String(condition.of),
      };
    case 'nodes_below':
      return { ...form, nodes: String(condition.percent) };
    case 'host_unreachable':
      return { ...form, minutes: String(condition.minutes) };
    case 'task_failed':
      return { ...form, actions: condition.actions ?? [], partial: condition.partial ?? false };
    case 'disk_below':
      return { ...form, gigabytes: String(condition.bytes / GIGABYTE) };
    default:
      return form;
  }
}

/** What the manager is told; it says what is out of bounds. */
export function conditionOf(form: ConditionForm): Condition {
  switch (form.kind) {
    case 'consistency_below':
      return {
        kind: form.kind,
        below: Number(form.below) / 100,
        crawls: Number(form.crawls),
        of: Number(form.of),
      };
    case 'nodes_below':
      return { kind: form.kind, percent: Number(form.nodes) };
    case 'host_unreachable':
      return { kind: form.kind, minutes: Number(form.minutes) };
    case 'task_failed':
      return { kind: form.kind, actions: form.actions, partial: form.partial };
    case 'disk_below':
      return { kind: form.kind, bytes: Math.round(Number(form.gigabytes) * GIGABYTE) };
    default:
      return { kind: form.kind };
  }
}

/** What a number field has to hold. */
function numberError(text: string, min: number, max: number, whole: boolean): string | undefined {
  const value = text.trim() === '' ? NaN : Number(text);
  const right = value >= min && value <= max && (!whole || Number.isInteger(value));
  return right ? undefined : `must be ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}`;
}

const CRAWLS_MAX = 100;
const MINUTES_MAX = 43_200;
const GIGABYTES_MAX = 1_000_000;

/** What is wrong with a condition, by field. */
export function conditionErrors(form: ConditionForm): Partial<Record<keyof ConditionForm, string>> {
  const errors = {
    consistency_below: {
      below: numberError(form.below, 0.01, 100, false),
      of: numberError(form.of, 1, CRAWLS_MAX, true),
      crawls: numberError(form.crawls, 1, Math.max(1, Number(form.of) || 1), true),
    },
    nodes_below: { nodes: numberError(form.nodes, 0.01, 100, false) },
    host_unreachable: { minutes: numberError(form.minutes, 1, MINUTES_MAX, true) },
    disk_below: { gigabytes: numberError(form.gigabytes, 0.001, GIGABYTES_MAX, false) },
  }[form.kind as string];
  return Object.fromEntries(Object.entries(errors ?? {}).filter(([, error]) => error !== undefined));
}

/** A condition as a sentence. */
export function saysOf(condition: Condition): string {
  switch (condition.kind) {
    case 'consistency_below': {
      const below = `${Math.round(condition.below * 10_000) / 100} %`;
      return `Consistency below ${below} in ${condition.crawls} of the last ${condition.of} crawls`;
    }
    case 'nodes_below':
      return `Fewer than ${condition.percent} % of the hosts have a node that answers`;
    case 'host_unreachable':
      return `A host was unreachable for ${condition.minutes} min`;
    case 'task_failed': {
      const actions = (condition.actions ?? []).map((action) => words(action).toLowerCase());
      const which = actions.length === 0 ? 'A task' : `A task (${actions.join(', ')})`;
      return `${which} failed${condition.partial ? ', also on some hosts only' : ''}`;
    }
    case 'disk_below':
      return `A host has less than ${bytes(condition.bytes)} free`;
    case 'version_mismatch':
      return 'A running host has another package than the pool';
    case 'host_key_changed':
      return 'A host shows another key than its pinned one';
  }
}
