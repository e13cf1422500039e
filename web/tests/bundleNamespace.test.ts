import { expect, test } from 'vitest';

import {
  emptyNamespace,
  isNamespaceReady,
  namespaceError,
  namespaceParams,
  needsNamespace,
  nextNamespace,
} from '../src/dialogs/bundleNamespace';

test('only another bundle of a Brunet pool needs a namespace', () => {
  const pool = { kind: 'brunet' as const, bundle: 'old' };
  expect(needsNamespace(pool, 'new')).toBe(true);
  expect(needsNamespace(pool, 'old')).toBe(false);
  expect(needsNamespace(pool, '')).toBe(false);
  expect(needsNamespace({ ...pool, bundle: null }, 'new')).toBe(false);
  expect(needsNamespace({ ...pool, kind: 'libp2p' }, 'new')).toBe(false);
});

test('the old namespace is kept only on purpose', () => {
  const form = emptyNamespace();
  expect(isNamespaceReady(form, 'grid')).toBe(false);
  expect(namespaceError(form, 'grid')).toBeUndefined();
  expect(namespaceError({ ...form, namespace: ' grid ' }, 'grid')).toContain('grid');
  expect(isNamespaceReady({ ...form, namespace: 'ü'.repeat(128) }, 'grid')).toBe(false);
  const other = { ...form, namespace: ' grid-2 ' };
  expect(isNamespaceReady(other, 'grid')).toBe(true);
  expect(namespaceParams(other)).toEqual({ settings: { namespace: 'grid-2' } });
  expect(isNamespaceReady({ ...form, keep: true }, 'grid')).toBe(true);
  expect(namespaceParams({ ...other, keep: true })).toEqual({ keep_namespace: true });
});

test('the next namespace is counted', () => {
  expect(['grid', 'grid-2', 'grid-9'].map(nextNamespace)).toEqual(['grid-2', 'grid-3', 'grid-10']);
});
