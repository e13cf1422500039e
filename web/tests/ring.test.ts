import { describe, expect, it } from 'vitest';

import {
  barsOf,
  disagreements,
  linksAt,
  NEAR,
  nearestRow,
  ONE_SIDED,
  ringOf,
  SILENT,
  toneOfRow,
  type Shape,
} from '../src/ring/model';

/** Nodes at these places, each naming the rows given; by default all answer and know all. */
function shape(places: (number | null)[], neighbours: number[][], more: Partial<Shape> = {}): Shape {
  return {
    ids: places.map((_, i) => `n${i}`),
    ring: places,
    status: places.map(() => 'answering' as const),
    consistency: places.map(() => 1),
    neighbours,
    ...more,
  };
}

const flags = (one: Shape) => {
  const { links } = ringOf(one);
  return Array.from({ length: links.count }, (_, i) => [links.from[i], links.to[i], links.flags[i]]);
};

describe('the ring', () => {
  it('puts nodes in the order of their places and counts those without one', () => {
    const ring = ringOf(shape([0.7, 0.1, null, 0.4], [[], [], [], []]));
    expect([...ring.order]).toEqual([1, 3, 0]);
    expect([...ring.rank]).toEqual([2, 0, -1, 1]);
    expect(ring.unplaced).toBe(1);
    expect(ring.angle[3]).toBeCloseTo(0.8 * Math.PI);
  });

  it('draws what goes both ways once', () => {
    expect(flags(shape([0, 0.25, 0.5, 0.75], [[1], [0], [], []]))).toEqual([[0, 1, NEAR]]);
  });

  it('tells one-sided links and such to nodes that do not answer', () => {
    const one = shape([0, 0.25, 0.5, 0.75], [[1, 2], [], [], []], {
      status: ['answering', 'answering', 'dial_failed', 'answering'],
    });
    expect(flags(one)).toEqual([
      [0, 1, NEAR | ONE_SIDED],
      [0, 2, SILENT],
    ]);
    expect(disagreements(ringOf(one).links)).toEqual([
      { from: 0, to: 1, why: 'not_named_back' },
      { from: 0, to: 2, why: 'does_not_answer' },
    ]);
  });

  it('knows that the first and the last are next to each other', () => {
    const places = Array.from({ length: 40 }, (_, i) => i / 40);
    const named = places.map((_, i) => (i === 0 ? [39, 20] : []));
    expect(flags(shape(places, named)).map(([, , flag]) => flag! & NEAR)).toEqual([NEAR, 0]);
  });

  it('counts who is named, and finds the links of a node', () => {
    const ring = ringOf(shape([0, 0.3, 0.6], [[1, 2], [2], [0]]));
    expect([...ring.named]).toEqual([1, 1, 2]);
    expect(linksAt(ring.links, 1)).toHaveLength(2);
  });

  it.each([
    [0.01, 0],
    [0.2, 1],
    [0.99, 0],
    [-0.1, 0],
    [0.6, 2],
  ])('finds the node nearest to %f of a turn', (turn, row) => {
    const ring = ringOf(shape([0, 0.3, 0.6], [[], [], []]));
    expect(nearestRow(ring, turn * 2 * Math.PI)).toBe(row);
  });

  it('finds nothing when it is empty', () => {
    expect(nearestRow(ringOf(shape([null], [[]])), 1)).toBeUndefined();
  });

  it('shows who does not answer in red and who does not know all neighbours in amber', () => {
    const one = shape([0, 0.1, 0.2, 0.3], [[], [], [], []], {
      status: ['answering', 'answering', 'dial_failed', 'not_dialled'],
      consistency: [1, 0.9, null, null],
    });
    expect([0, 1, 2, 3].map((row) => toneOfRow(one, row))).toEqual(['ok', 'warn', 'bad', 'idle']);
  });
});

describe('a histogram', () => {
  it('has a bar for each value, also for those between that nobody has', () => {
    expect(barsOf({ '2': 5, '4': 1 }, 10)).toEqual([
      { from: 2, to: 2, count: 5 },
      { from: 3, to: 3, count: 0 },
      { from: 4, to: 4, count: 1 },
    ]);
  });

  it('joins values when there are too many, and loses none', () => {
    const counts = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [String(i), 1]));
    const bars = barsOf(counts, 30);
    expect(bars.length).toBeLessThanOrEqual(30);
    expect(bars.reduce((sum, bar) => sum + bar.count, 0)).toBe(100);
  });

  it('is empty without values', () => expect(barsOf({}, 10)).toEqual([]));
});
