import { describe, expect, it } from 'vitest';

import { CLUSTER_ZOOM_MAX, MapIndex, toneOf, type Located, WORLD, zoomFor } from '../src/map/clusters';
import type { MapPoints } from '../src/api/types';
import { boundsInSight, worldProjection, worldWidth } from '../src/map/globe';
import { ofNamespace } from '../src/map/namespaces';

const points: Located = {
  ids: ['lyon', 'lyon-too', 'geneva', 'tokyo'],
  lat: [45.76, 45.76, 46.2, 35.68],
  lon: [4.84, 4.84, 6.14, 139.7],
  consistency: [1, 0.5, 1, null],
  status: ['answering', 'answering', 'answering', 'dial_failed'],
};
const index = new MapIndex(points);

describe('clusters', () => {
  it('hold near nodes together and count those that are well', () => {
    const marks = index.marks(WORLD, 1);
    expect(marks).toHaveLength(2);
    expect(marks.find((mark) => mark.kind === 'cluster')).toMatchObject({ nodes: 3, well: 2 });
    expect(marks.find((mark) => mark.kind === 'node')).toMatchObject({ index: 3 });
  });

  it('fall apart by zooming, but for nodes at the same place', () => {
    const cluster = index.marks(WORLD, 1).find((mark) => mark.kind === 'cluster')!;
    const zoom = index.splitsAt(cluster.cluster)!;
    expect(zoom).toBeGreaterThan(1);
    const together = index.marks(WORLD, zoom).find((mark) => mark.kind === 'cluster')!;
    expect(together.nodes).toBe(2);
    expect(index.splitsAt(together.cluster)).toBeUndefined();
    expect(index.members(together.cluster, 10).sort()).toEqual(['lyon', 'lyon-too']);
  });

  it('lose no node at any zoom', () => {
    for (let zoom = 0; zoom <= CLUSTER_ZOOM_MAX + 1; zoom += 1) {
      const nodes = index
        .marks(WORLD, zoom)
        .reduce((sum, mark) => sum + (mark.kind === 'node' ? 1 : mark.nodes), 0);
      expect(nodes).toBe(4);
    }
  });

  it('are the same tone as their node says', () => {
    expect([0, 1, 2, 3].map((i) => toneOf(points, i))).toEqual(['ok', 'warn', 'ok', 'bad']);
  });

  it('take 100,000 nodes in a moment', () => {
    const n = 100_000;
    const many: Located = {
      ids: Array.from({ length: n }, (_, i) => String(i)),
      lat: Array.from({ length: n }, (_, i) => ((i * 7919) % 17_000) / 100 - 85),
      lon: Array.from({ length: n }, (_, i) => ((i * 104_729) % 36_000) / 100 - 180),
      consistency: new Array<number>(n).fill(1),
      status: new Array<'answering'>(n).fill('answering'),
    };
    const marks = new MapIndex(many).marks(WORLD, 3);
    expect(marks.length).toBeLessThan(2000);
    expect(marks.reduce((sum, mark) => sum + (mark.kind === 'node' ? 1 : mark.nodes), 0)).toBe(n);
  });
});

describe('the projection', () => {
  const projection = worldProjection(1000, 500);

  it('shows the inhabited world', () => {
    for (const place of [
      [-160, 20],
      [178, -38],
      [15, 78],
      [-70, -54],
    ] as [number, number][]) {
      const [x, y] = projection(place)!;
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(1000);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(500);
    }
  });

  it('knows what is in sight when zoomed in', () => {
    const [x, y] = projection([4.84, 45.76])!;
    const k = 40;
    const bounds = boundsInSight(projection, { x: 500 - x * k, y: 250 - y * k, k }, 1000, 500);
    expect(bounds[0]).toBeLessThan(4.84);
    expect(bounds[2]).toBeGreaterThan(4.84);
    expect(bounds[2] - bounds[0]).toBeLessThan(30);
    expect(boundsInSight(projection, { x: 0, y: 0, k: 1 }, 1000, 500)).toEqual(WORLD);
  });

  it('clusters finer the wider the world is', () => {
    expect(zoomFor(worldWidth(projection))).toBeLessThan(zoomFor(worldWidth(projection) * 8));
    expect(zoomFor(1)).toBe(0);
  });
});

describe('the points of one namespace', () => {
  const all = {
    ...points,
    hosts: ['a', 'b', null, 'd'],
    namespace: [0, 1, null, 1],
    namespaces: ['lab', 'field'],
  } as MapPoints;

  it('are those whose nodes tell it, in every column', () => {
    const field = ofNamespace(all, 'field');
    expect(field).toMatchObject({
      ids: ['lyon-too', 'tokyo'],
      lat: [45.76, 35.68],
      lon: [4.84, 139.7],
      consistency: [0.5, null],
      status: ['answering', 'dial_failed'],
      hosts: ['b', 'd'],
      namespace: [1, 1],
      // The others can still be chosen.
      namespaces: ['lab', 'field'],
    });
  });

  it('are all without a name, and none for one that nobody tells', () => {
    expect(ofNamespace(all, '')).toBe(all);
    expect(ofNamespace(all, 'elsewhere').ids).toEqual([]);
  });
});
