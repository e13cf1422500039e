import type { PoolSummary } from '../api/types';

/** In which namespace the nodes of another Brunet bundle meet, as a person types it. */
export interface NamespaceForm {
  namespace: string;
  /** The person knows that both versions get on. */
  keep: boolean;
}

export const emptyNamespace = (): NamespaceForm => ({ namespace: '', keep: false });

/** Longest namespace, bytes. */
const NAMESPACE_MAX = 255;

/** An upgrade to this bundle mixes two versions in one Brunet overlay unless it gets a namespace of its own. */
export function needsNamespace(pool: Pick<PoolSummary, 'kind' | 'bundle'>, bundle: string): boolean {
  return pool.kind === 'brunet' && bundle !== '' && !!pool.bundle && bundle !== pool.bundle;
}

/** A name for the next namespace: `grid-2` after `grid`. */
export function nextNamespace(present: string): string {
  const [, name, number] = /^(.*)-(\d{1,9})$/.exec(present) ?? [];
  return name === undefined ? `${present}-2` : `${name}-${Number(number) + 1}`;
}

/** Why the upgrade can't begin like this; nothing is said of a field that is still empty. */
export function namespaceError(form: NamespaceForm, present: string): string | undefined {
  if (form.keep) return undefined;
  const namespace = form.namespace.trim();
  if (namespace === present) return `“${present}” is the namespace of the old bundle: choose another.`;
  const bytes = new TextEncoder().encode(namespace).length;
  return bytes > NAMESPACE_MAX ? `At most ${NAMESPACE_MAX} bytes.` : undefined;
}

/** The upgrade can begin. */
export const isNamespaceReady = (form: NamespaceForm, present: string) =>
  form.keep || (form.namespace.trim() !== '' && namespaceError(form, present) === undefined);

/** What the manager is told; only of a form that is ready. */
export function namespaceParams(form: NamespaceForm): {
  keep_namespace?: boolean;
  settings?: { namespace: string };
} {
  return form.keep ? { keep_namespace: true } : { settings: { namespace: form.namespace.trim() } };
}
