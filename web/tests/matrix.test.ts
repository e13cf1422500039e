import { describe, expect, it } from 'vitest';

import type { TaskHost } from '../src/api/types';
import { groupHosts } from '../src/matrix/groups';
import { hostAt, layoutOf, neighbourOf, placeOf, SIDE_MAX, SIDE_MIN, sideFor } from '../src/matrix/layout';

const groups = [
  { label: 'Failed', hosts: 3 },
  { label: 'Ok', hosts: 25 },
];
const layout = layoutOf(groups, 250);

describe('the host matrix', () => {
  it('finds every host where it put it, and no host between squares', () => {
    for (let index = 0; index < 28; index += 1) {
      const place = placeOf(layout, index)!;
      expect(hostAt(layout, place.x + 1, place.y + 1)).toBe(index);
      expect(hostAt(layout, place.x + layout.side + 1, place.y + 1)).toBeUndefined();
      expect(place.y + layout.side).toBeLessThanOrEqual(layout.height);
      expect(place.x + layout.side).toBeLessThanOrEqual(250);
    }
    expect(placeOf(layout, 28)).toBeUndefined();
    expect(hostAt(layout, 0, layout.blocks[0]!.top)).toBeUndefined();
    expect(hostAt(layout, 3 * layout.pitch + 1, layout.blocks[0]!.squaresTop + 1)).toBeUndefined();
  });

  it('gives each group its own rows and leaves empty groups out', () => {
    expect(layout.blocks.map((block) => block.first)).toEqual([0, 3]);
    expect(layoutOf([{ label: 'None', hosts: 0 }], 250)).toMatchObject({ blocks: [], height: 0 });
  });

  it('makes squares smaller for many hosts, never too small to hit', () => {
    expect(sideFor(12)).toBe(SIDE_MAX);
    expect(sideFor(3000)).toBeLessThan(SIDE_MAX);
    expect(sideFor(50_000)).toBe(SIDE_MIN);
  });

  it('lays out 10,000 hosts within a few screens', () => {
    expect(layoutOf([{ label: 'Ok', hosts: 10_000 }], 1000).height).toBeLessThan(1000);
  });

  it('stops at its ends when arrows are pressed', () => {
    expect(neighbourOf(layout, 0, 'left')).toBe(0);
    expect(neighbourOf(layout, 0, 'right')).toBe(1);
    expect(neighbourOf(layout, 27, 'down')).toBe(27);
    expect(neighbourOf(layout, 27, 'up')).toBe(27 - layout.columns);
    expect(neighbourOf(layoutOf([], 100), 0, 'right')).toBe(0);
  });

  it('survives a page that is narrower than a square', () => {
    expect(layoutOf(groups, 1).columns).toBe(1);
  });
});

describe('grouping', () => {
  const host = (id: number, outcome: TaskHost['outcome'], step: string | null = null) =>
    ({ host: id, outcome, step }) as TaskHost;
  const hosts = [host(1, 'ok'), host(2, 'failed', 'start'), host(3, 'ok'), host(4, 'unreachable', 'connect')];

  it('puts the most urgent outcome first and keeps the order within it', () => {
    const { groups, hosts: sorted } = groupHosts(hosts, 'outcome');
    expect(groups.map((group) => group.label)).toEqual(['Failed', 'Unreachable', 'Ok']);
    expect(sorted.map((one) => one.host)).toEqual([2, 4, 1, 3]);
  });

  it('can be by step or not at all', () => {
    expect(groupHosts(hosts, 'step').groups.map((group) => group.hosts)).toEqual([2, 1, 1]);
    expect(groupHosts(hosts, 'none').hosts).toEqual(hosts);
  });
});
