import type { Fault } from '../api/types';
import { amountOf, hostsIn } from './rolling';

/** A fault as a person types it: everything is text until it is sent. */
export interface FaultForm {
  kind: Fault['kind'];
  /** `10%` or `3`; empty: all that the labels leave. */
  share: string;
  /** `site=lyon,rack=3`; empty: every host. */
  labels: string;
  /** Digits; empty: the manager draws one and records it. */
  seed: string;
}

export type FaultErrors = Partial<Record<keyof FaultForm, string>>;

export const emptyFault = (): FaultForm => ({ kind: 'stop', share: '10%', labels: '', seed: '' });

/** What is wrong, by field. The manager checks again; this only says it sooner. */
export function faultErrors(form: FaultForm): FaultErrors {
  const errors: FaultErrors = {};
  const [share, labels] = [form.share.trim(), form.labels.trim()];
  if (share !== '' && (amountOf(share) === undefined || parseFloat(share) === 0)) {
    errors.share = 'must be a number of nodes such as 3, or a part such as 10%';
  }
  if (labels !== '' && labelsOf(labels) === undefined)
    errors.labels = 'must be labels such as site=lyon,rack=3';
  if (form.kind !== 'resume' && share === '' && labels === '') {
    errors.share = 'say how many, or which by their labels; 100% means all';
  }
  const seed = form.seed.trim();
  if (seed !== '' && !(/^\d+$/.test(seed) && Number.isSafeInteger(Number(seed)))) {
    errors.seed = `must be a whole number up to ${Number.MAX_SAFE_INTEGER}, or empty`;
  }
  return errors;
}

/** The fault as the manager takes it; only of a form without errors. */
export function faultOf(form: FaultForm): Fault {
  const share = amountOf(form.share);
  return {
    kind: form.kind,
    labels: labelsOf(form.labels) ?? {},
    ...(share === undefined ? {} : { share }),
    ...(form.seed.trim() === '' ? {} : { seed: Number(form.seed) }),
  };
}

/** How many nodes it is done to, of those that come into question; unknown when labels choose. */
export function faultCount(form: FaultForm, candidates: number): number | undefined {
  if (form.labels.trim() !== '') return undefined;
  const share = amountOf(form.share);
  return share === undefined ? candidates : hostsIn(share, candidates);
}

function labelsOf(text: string): Record<string, string> | undefined {
  if (text.trim() === '') return undefined;
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => part.trim()));
  const right = pairs.every(([name, value, more]) => name && value !== undefined && more === undefined);
  return right ? Object.fromEntries(pairs.map(([name, value]) => [name, value])) : undefined;
}
