import { describe, expect, it } from 'vitest';

import { worldProjection, worldSquare } from '../src/map/globe';
import {
  copiesInSight,
  originOf,
  partOf,
  TILES_IN_SIGHT_MAX,
  tilesInSight,
  tileUrl,
  tileZoom,
} from '../src/map/tiles';
import { TILES_KEPT_MAX, TILES_LOADING_MAX, TileStore } from '../src/map/tileStore';

const names = (tiles: { z: number; x: number; y: number }[]) =>
  tiles.map(({ z, x, y }) => `${z}/${x}/${y}`).sort();

describe('tiles in sight', () => {
  it('cover the whole canvas, each once, those in the middle first', () => {
    const world = { left: -300, top: -200, size: 1024 };
    const tiles = tilesInSight(world, 500, 400, 18);
    // 256 pixels each at zoom 2: columns 1 to 3, rows 0 to 2.
    expect(names(tiles)).toEqual([
      '2/1/0',
      '2/1/1',
      '2/1/2',
      '2/2/0',
      '2/2/1',
      '2/2/2',
      '2/3/0',
      '2/3/1',
      '2/3/2',
    ]);
    expect(tiles[0]).toEqual({ z: 2, x: 2, y: 1, left: 212, top: 56, size: 256 });
    const covered = (x: number, y: number) =>
      tiles.filter((t) => x >= t.left && x < t.left + t.size && y >= t.top && y < t.top + t.size).length;
    for (let x = 0; x < 500; x += 7) for (let y = 0; y < 400; y += 7) expect(covered(x, y)).toBe(1);
  });

  it('have the zoom that is nearest to their own size, within what the server has', () => {
    expect([256, 360, 370, 512, 1024, 2 ** 18].map((size) => tileZoom(size, 18))).toEqual([
      0, 0, 1, 1, 2, 10,
    ]);
    expect(tileZoom(2 ** 30, 5)).toBe(5);
    expect(tileZoom(1, 18)).toBe(0);
    expect(tileZoom(0, 18)).toBe(0);
    expect(new Set(tilesInSight({ left: 0, top: 0, size: 4096 }, 900, 500, 3).map(({ z }) => z))).toEqual(
      new Set([3]),
    );
  });

  it('go on beyond the antimeridian with those of the other side, and end at the poles', () => {
    const west = tilesInSight({ left: 300, top: 100, size: 512 }, 400, 700, 18);
    expect(names(west)).toEqual(['1/0/0', '1/0/0', '1/0/1', '1/0/1', '1/1/0', '1/1/1']);
    expect(west.find(({ x }) => x === 1)).toMatchObject({ left: 44 });
    const east = tilesInSight({ left: -400, top: 0, size: 512 }, 300, 256, 18);
    expect(names(east)).toEqual(['1/0/0', '1/1/0']);
    expect(east.find(({ x }) => x === 0)).toMatchObject({ left: 112 });
    expect(tilesInSight({ left: 0, top: -600, size: 512 }, 300, 300, 18)).toEqual([]);
  });

  it('are never too many, however large the canvas is', () => {
    for (const [width, height] of [
      [3840, 2160],
      [20_000, 9_000],
    ] as const) {
      for (let size = 256; size < 2 ** 24; size *= 1.37) {
        const tiles = tilesInSight({ left: -size / 2, top: -size / 2, size }, width, height, 22);
        expect(tiles.length).toBeLessThanOrEqual(TILES_IN_SIGHT_MAX);
        expect(tiles.length).toBeGreaterThan(0);
      }
    }
    expect(tilesInSight({ left: 0, top: 0, size: NaN }, 100, 100, 5)).toEqual([]);
    expect(tilesInSight({ left: 0, top: 0, size: 256 }, 0, 100, 5)).toEqual([]);
  });
});

describe('the world of tiles', () => {
  it('lies as the Mercator projection says: Lyon is in the tile that servers have it in', () => {
    const projection = worldProjection(1000, 520, true);
    const [px, py] = projection([4.84, 45.76])!;
    const k = 60;
    const world = worldSquare(projection, { x: 500 - px * k, y: 260 - py * k, k });
    const tile = tilesInSight(world, 1000, 520, 18).find(
      (t) => 500 >= t.left && 500 < t.left + t.size && 260 >= t.top && 260 < t.top + t.size,
    )!;
    // OpenStreetMap wiki, "Slippy map tilenames".
    const n = 2 ** tile.z;
    const phi = (45.76 * Math.PI) / 180;
    expect(tile.x).toBe(Math.floor(((4.84 + 180) / 360) * n));
    expect(tile.y).toBe(Math.floor(((1 - Math.log(Math.tan(phi) + 1 / Math.cos(phi)) / Math.PI) / 2) * n));
    expect(tile.z).toBeGreaterThan(5);
  });

  it('is repeated where the canvas is wider than it', () => {
    expect(copiesInSight({ left: 50, top: 0, size: 900 }, 1000)).toEqual([-900, 0, 900]);
    expect(copiesInSight({ left: -10, top: 0, size: 1200 }, 1000)).toEqual([0]);
    expect(copiesInSight({ left: -1500, top: 0, size: 2000 }, 1000)).toEqual([0, 2000]);
  });
});

describe('addresses of tiles', () => {
  it('are filled in, and name one server', () => {
    const template = 'https://t.example:8443/{z}/{x}/{y}.png?k=1';
    expect(tileUrl(template, { z: 3, x: 4, y: 5 })).toBe('https://t.example:8443/3/4/5.png?k=1');
    expect(originOf(template)).toBe('https://t.example:8443');
    expect([originOf(null), originOf(''), originOf('tiles/{z}'), originOf('data:,{z}')]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('lead to the part of a coarser tile', () => {
    expect(partOf({ z: 1, pixels: 256 }, { z: 3, x: 6, y: 1 })).toEqual({
      x: 1,
      y: 0,
      left: 128,
      top: 64,
      size: 64,
    });
    expect(partOf({ z: 3, pixels: 256 }, { z: 3, x: 6, y: 1 })).toEqual({
      x: 6,
      y: 1,
      left: 0,
      top: 0,
      size: 256,
    });
  });
});

/** A server whose answers the test gives, and what it was asked. */
function server() {
  const waiting = new Map<string, { come: () => void; fail: () => void }>();
  const asked: string[] = [];
  let told = 0;
  const store = new TileStore<string>(
    'h/{z}/{x}/{y}',
    (url) =>
      new Promise((come, fail) => {
        asked.push(url);
        waiting.set(url, { come: () => come(url), fail: () => fail(new Error()) });
      }),
    () => (told += 1),
  );
  const settle = async (how: 'come' | 'fail', url: string) => {
    waiting.get(url)![how]();
    waiting.delete(url);
    for (let i = 0; i < 5; i += 1) await Promise.resolve();
  };
  return { store, asked, waiting, settle, told: () => told };
}

const row = (z: number, n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => ({ z, x: from + i, y: 0, left: 0, top: 0, size: 256 }));

describe('pictures of tiles', () => {
  it('are asked for a few at once, in the order of the newest view', async () => {
    const { store, asked, waiting, settle } = server();
    store.want(row(6, 20));
    expect(asked).toHaveLength(TILES_LOADING_MAX);
    store.want(row(6, 2, 40));
    await settle('come', 'h/6/0/0');
    await settle('come', 'h/6/1/0');
    expect(asked.slice(TILES_LOADING_MAX)).toEqual(['h/6/40/0', 'h/6/41/0']);
    await settle('come', 'h/6/2/0');
    expect(asked).toHaveLength(TILES_LOADING_MAX + 2);
    expect(waiting.size).toBe(TILES_LOADING_MAX - 1);
  });

  it('come, or a part of a coarser one until then; what fails is told and not asked again', async () => {
    const { store, asked, settle, told } = server();
    const [coarse] = row(1, 1);
    store.want([coarse!]);
    await settle('come', 'h/1/0/0');
    const [fine] = row(3, 1, 3);
    store.want([fine!]);
    expect(store.find(fine!)).toEqual({ picture: 'h/1/0/0', left: 0.75, top: 0, size: 0.25 });
    await settle('fail', 'h/3/3/0');
    expect([store.failing, told()]).toEqual([true, 2]);
    store.want([fine!]);
    expect(asked).toEqual(['h/1/0/0', 'h/3/3/0']);
    expect(store.find(row(1, 1, 1)[0]!)).toBeUndefined();
    store.want([coarse!]);
    expect(store.failing).toBe(false);
  });

  it('are kept up to a bound, the oldest are forgotten', async () => {
    const { store, asked, settle } = server();
    for (let x = 0; x < TILES_KEPT_MAX + 10; x += 1) {
      const [tile] = row(12, 1, x);
      store.want([tile!]);
      await settle('come', `h/12/${x}/0`);
    }
    expect(store.kept).toBe(TILES_KEPT_MAX);
    expect(store.find(row(12, 1, 0)[0]!)).toBeUndefined();
    store.want(row(12, 1, 0));
    expect(asked.at(-1)).toBe('h/12/0/0');
  });
});
