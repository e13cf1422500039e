import { emptyForm, type PoolForm } from './form';

/** What somebody typed into the form for a new pool. Secrets are never part of it. */
export interface Draft {
  form: PoolForm;
  hosts: string;
}

const KEY = 'p2ppool.draft';

export function readDraft(): Draft {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Draft>;
    return {
      form: { ...emptyForm(), ...kept.form },
      hosts: typeof kept.hosts === 'string' ? kept.hosts : '',
    };
  } catch {
    return { form: emptyForm(), hosts: '' };
  }
}

export function keepDraft(draft: Draft): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // Private windows may forbid it, and very long lists don't fit; then there is no draft.
  }
}

export function dropDraft(): void {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Nothing was kept, then.
  }
}
