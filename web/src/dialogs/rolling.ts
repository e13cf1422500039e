import type { Rolling } from '../api/types';

/** A rolling upgrade as a person types it: everything is text until it is sent. */
export interface RollingForm {
  on: boolean;
  /** Hosts per batch: `10%` or `5`. */
  batch: string;
  /** `2`, `5%` or labels such as `site=lyon,rack=3`; empty: no canary. */
  canary: string;
  /** Parts in percent; empty: not looked at. */
  hostsOk: string;
  consistency: string;
  /** `95%` of those before, or a number; empty: not counted. */
  nodes: string;
  withinMin: string;
  onFailedGate: 'pause' | 'roll_back';
}

export type RollingErrors = Partial<Record<keyof RollingForm, string>>;

/** What the manager takes when nobody says otherwise. */
export function emptyRolling(): RollingForm {
  return {
    on: false,
    batch: '10%',
    canary: '',
    hostsOk: '95',
    consistency: '90',
    nodes: '95%',
    withinMin: '10',
    onFailedGate: 'pause',
  };
}

/** What is wrong, by field. The manager checks again; this only says it sooner. */
export function rollingErrors(form: RollingForm): RollingErrors {
  const errors: RollingErrors = {};
  const amount = 'must be a number of hosts such as 5, or a part such as 10%';
  if (!amountOf(form.batch) || amountOf(form.batch) === '0%') errors.batch = amount;
  if (form.canary.trim() !== '' && canaryOf(form.canary) === undefined) {
    errors.canary = 'must be 2, 5% or labels such as site=lyon,rack=3';
  }
  if (percentOf(form.hostsOk) === undefined) errors.hostsOk = 'must be 0 to 100';
  if (form.consistency.trim() !== '' && percentOf(form.consistency) === undefined) {
    errors.consistency = 'must be 0 to 100, or empty';
  }
  if (form.nodes.trim() !== '' && amountOf(form.nodes) === undefined) {
    errors.nodes = 'must be a number such as 90, a part such as 95%, or empty';
  }
  const within = Number(form.withinMin);
  if (!(within >= 0.1 && within <= 24 * 60)) errors.withinMin = 'must be 0.1 to 1440 minutes';
  return errors;
}

/** The rolling upgrade as the manager takes it; only of a form without errors. */
export function rollingOf(form: RollingForm): Rolling {
  return {
    batch: amountOf(form.batch) ?? 1,
    canary: form.canary.trim() === '' ? null : (canaryOf(form.canary) ?? null),
    gate: {
      hosts_ok_min: percentOf(form.hostsOk) ?? 1,
      consistency_min: percentOf(form.consistency) ?? null,
      nodes_min: amountOf(form.nodes) ?? null,
      within_s: Math.round(Number(form.withinMin) * 60),
    },
    on_failed_gate: form.onFailedGate,
  };
}

/** How many batches so many hosts make; unknown with a canary by labels. */
export function batchCount(form: RollingForm, hosts: number): number | undefined {
  const canary = form.canary.trim() === '' ? 0 : canaryOf(form.canary);
  if (typeof canary === 'object' || canary === undefined) return undefined;
  const first = hostsIn(canary, hosts);
  const size = Math.max(1, hostsIn(amountOf(form.batch) ?? 1, hosts));
  return Number(first > 0) + Math.ceil((hosts - first) / size);
}

/** How many hosts an amount is of so many. */
export function hostsIn(amount: number | string, hosts: number): number {
  const count = typeof amount === 'number' ? amount : Math.ceil((parseFloat(amount) / 100) * hosts - 1e-9);
  return Math.min(hosts, count);
}

/** `5` or `10%`; nothing for what is neither. */
export function amountOf(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (/^\d{1,9}$/.test(trimmed)) return Number(trimmed) > 0 ? Number(trimmed) : undefined;
  return /^\d{1,3}(\.\d+)?%$/.test(trimmed) && parseFloat(trimmed) <= 100 ? trimmed : undefined;
}

function canaryOf(text: string): number | string | Record<string, string> | undefined {
  const amount = amountOf(text);
  if (amount !== undefined) return amount;
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  if (!pairs.every(([name, value, more]) => name && value !== undefined && more === undefined))
    return undefined;
  return Object.fromEntries(pairs.map(([name, value]) => [name, value]));
}

function percentOf(text: string): number | undefined {
  const value = /^\d{1,3}(\.\d+)?\s*%?$/.test(text.trim()) ? parseFloat(text) : NaN;
  return value <= 100 ? value / 100 : undefined;
}
