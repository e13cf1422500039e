import { describe, expect, it } from 'vitest';

import { emptyShare, endOf, frameText, limitsOf, newShare, placesOf, shareErrors } from '../src/shares/form';
import { pointsOf } from '../src/share/points';
import type { SharedMap } from '../src/api/sharing';
import {
  conditionErrors,
  conditionOf,
  emptyCondition,
  formOfCondition,
  saysOf,
} from '../src/alerts/conditions';
import type { Condition } from '../src/api/watching';

const NOW = Date.parse('2026-06-01T12:00:00Z');

describe('a share link', () => {
  it('hides hosts and ends by itself unless somebody says otherwise', () => {
    expect(newShare(emptyShare('lab', 'map'), NOW)).toEqual({
      name: 'Map of lab',
      views: ['map'],
      hosts: false,
      places: 'degree',
      namespaces: [],
      embed: [],
      from: null,
      to: null,
      expires: '2026-07-01T12:00:00.000Z',
    });
  });

  it('takes web sites as they are typed, and views in the order of the page', () => {
    const form = {
      ...emptyShare('lab', 'csv'),
      ends: '',
      embed: 'https://a.org, https://b.org\nhttps://c.org',
    };
    form.views.push('nodes');
    const share = newShare(form, NOW);
    expect(share.embed).toEqual(['https://a.org', 'https://b.org', 'https://c.org']);
    expect(share.views).toEqual(['nodes', 'csv']);
    expect(share.expires).toBeNull();
  });

  it('tells places as exactly as was chosen, and without a choice exactly with hosts alone', () => {
    const form = emptyShare('lab', 'nodes');
    expect(placesOf({ ...form, hosts: true })).toBe('exact');
    expect(newShare({ ...form, hosts: true, places: 'city' }, NOW).places).toBe('city');
    expect(placesOf({ hosts: false, places: null })).toBe('degree');
  });

  it('has no map when it tells no places', () => {
    const form = { ...emptyShare('lab', 'map'), places: 'none' as const };
    expect(shareErrors(form).places).toContain('map');
    expect(shareErrors({ ...form, views: ['nodes', 'stats'] })).toEqual({});
    expect(shareErrors(emptyShare('lab', 'map'))).toEqual({});
  });

  it('takes namespaces one a line, each once', () => {
    const form = { ...emptyShare('lab', 'nodes'), namespaces: ' lab, two \n\nfield\nfield' };
    expect(newShare(form, NOW).namespaces).toEqual(['lab, two', 'field']);
    expect(shareErrors(form)).toEqual({});
    const many = Array.from({ length: 33 }, (_, i) => `n${i}`).join('\n');
    expect(shareErrors({ ...form, namespaces: many }).namespaces).toContain('32');
    expect(shareErrors({ ...form, namespaces: 'ü'.repeat(128) }).namespaces).toContain('255');
  });

  it('says in a list what it limits', () => {
    const share = { hosts: false, places: null, namespaces: [], from: null, to: null };
    expect(limitsOf(share)).toEqual(['places to a degree']);
    expect(
      limitsOf({ ...share, places: 'none', namespaces: ['a', 'b'], to: '2026-06-01T12:00:00Z' }),
    ).toEqual(['no places', 'only a, b', 'some dates']);
  });

  it('is over when it was revoked or its time has come', () => {
    expect(endOf({ revoked: null, expires: null }, NOW)).toBeUndefined();
    expect(endOf({ revoked: null, expires: '2026-06-01T12:00:00Z' }, NOW)).toBe('ended');
    expect(endOf({ revoked: '2026-05-01T12:00:00Z', expires: null }, NOW)).toBe('revoked');
  });

  it('is embedded by a text in which nothing of a name is markup', () => {
    expect(frameText('https://p.org/share/x', 'a" onload="b<c>')).toContain(
      'title="a&quot; onload=&quot;b&lt;c&gt;"',
    );
  });

  it('draws nodes without telling who they are', () => {
    const node = {
      latitude: 48,
      longitude: 11,
      status: 'answering',
      consistency: 1,
      namespace: 'lab',
      host_name: null,
    };
    const points = pointsOf({ points: [node, { ...node, namespace: null }] } as unknown as SharedMap);
    expect(points.ids).toEqual(['Node 1', 'Node 2']);
    expect(points.namespaces).toEqual(['lab']);
    expect(points.namespace).toEqual([0, null]);
  });
});

describe('a rule’s condition', () => {
  const ALL: Condition[] = [
    { kind: 'consistency_below', below: 0.955, crawls: 2, of: 3 },
    { kind: 'nodes_below', percent: 90 },
    { kind: 'host_unreachable', minutes: 15 },
    { kind: 'task_failed', actions: ['install'], partial: true },
    { kind: 'disk_below', bytes: 2_500_000_000 },
    { kind: 'version_mismatch' },
    { kind: 'host_key_changed' },
  ];

  it('is the same after it was shown in a form', () => {
    for (const condition of ALL) {
      const form = formOfCondition(condition);
      expect(conditionErrors(form), condition.kind).toEqual({});
      expect(conditionOf(form)).toEqual(condition);
      expect(saysOf(condition).length).toBeGreaterThan(10);
    }
  });

  it('names what can’t be', () => {
    const wrong = (change: object) => Object.keys(conditionErrors({ ...emptyCondition(), ...change }));
    expect(wrong({ kind: 'nodes_below', nodes: '101' })).toEqual(['nodes']);
    expect(wrong({ kind: 'consistency_below', crawls: '4', of: '3' })).toEqual(['crawls']);
    expect(wrong({ kind: 'disk_below', gigabytes: 'much' })).toEqual(['gigabytes']);
  });
});
