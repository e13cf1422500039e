/**
 * Which picture tiles cover a view of a Web Mercator map. Pure: the canvas and the tests use it alike.
 *
 * A tile has a zoom `z`, and at that zoom the world is a square of 2^z by 2^z tiles, counted from the north-west
 * (the "XYZ" scheme that tile servers share).
 */

/** A tile, and where it lies on the canvas, in CSS pixels. */
export interface PlacedTile {
  z: number;
  x: number;
  y: number;
  left: number;
  top: number;
  size: number;
}

/** The square of the world on the canvas, in CSS pixels. */
export interface WorldSquare {
  left: number;
  top: number;
  size: number;
}

/** Width of a tile as it is served, in pixels. */
const TILE_PIXELS = 256;
/** Tiles in one view at most: a screen of 4K needs some 150; beyond it a coarser zoom is taken. */
export const TILES_IN_SIGHT_MAX = 180;

/** The zoom whose tiles are nearest to their own size, as far as the server has it. */
export function tileZoom(worldSize: number, zoomMax: number): number {
  const wanted = Math.round(Math.log2(worldSize / TILE_PIXELS));
  return Math.max(0, Math.min(zoomMax, Number.isFinite(wanted) ? wanted : 0));
}

/** Columns and rows of the tiles in sight at a zoom; columns go on beyond the antimeridian on both sides. */
function rangeAt(world: WorldSquare, z: number, width: number, height: number) {
  const size = world.size / 2 ** z;
  const last = 2 ** z - 1;
  return {
    size,
    west: Math.floor(-world.left / size),
    east: Math.ceil((width - world.left) / size) - 1,
    north: Math.max(0, Math.floor(-world.top / size)),
    south: Math.min(last, Math.ceil((height - world.top) / size) - 1),
  };
}

/** The tiles that cover a canvas, those in its middle first; never more than `TILES_IN_SIGHT_MAX`. */
export function tilesInSight(
  world: WorldSquare,
  width: number,
  height: number,
  zoomMax: number,
): PlacedTile[] {
  if (!(world.size > 0) || !(width > 0) || !(height > 0)) return [];
  let z = tileZoom(world.size, zoomMax);
  let range = rangeAt(world, z, width, height);
  const many = () => (range.east - range.west + 1) * (range.south - range.north + 1);
  while (z > 0 && many() > TILES_IN_SIGHT_MAX) range = rangeAt(world, --z, width, height);
  const { size, west, east, north, south } = range;
  const tiles: PlacedTile[] = [];
  for (let row = north; row <= south; row += 1) {
    for (let column = west; column <= east && tiles.length < TILES_IN_SIGHT_MAX; column += 1) {
      const [left, top] = [world.left + column * size, world.top + row * size];
      tiles.push({ z, x: wrapped(column, z), y: row, left, top, size });
    }
  }
  const off = (tile: PlacedTile) =>
    Math.hypot(tile.left + size / 2 - width / 2, tile.top + size / 2 - height / 2);
  return tiles.sort((a, b) => off(a) - off(b));
}

/** A column beyond the antimeridian is one of the other side. */
function wrapped(column: number, z: number): number {
  const columns = 2 ** z;
  return ((column % columns) + columns) % columns;
}

/** How far the copies of the world that are in sight lie from the first, in CSS pixels. */
export function copiesInSight(world: WorldSquare, width: number): number[] {
  if (!(world.size > 0)) return [0];
  const copies: number[] = [];
  const first = Math.min(0, Math.floor(-world.left / world.size));
  const last = Math.max(0, Math.ceil((width - world.left) / world.size) - 1);
  for (let copy = first; copy <= last; copy += 1) copies.push(copy * world.size);
  return copies;
}

/** Address of a tile by the template of its server. */
export function tileUrl(template: string, { z, x, y }: Pick<PlacedTile, 'z' | 'x' | 'y'>): string {
  return template.replace('{z}', String(z)).replace('{x}', String(x)).replace('{y}', String(y));
}

/** The part of a coarser tile that shows what a finer one would, in pixels of the coarser one's picture. */
export function partOf(
  coarser: { z: number; pixels: number },
  tile: Pick<PlacedTile, 'z' | 'x' | 'y'>,
): { x: number; y: number; left: number; top: number; size: number } {
  const finer = 2 ** (tile.z - coarser.z);
  const size = coarser.pixels / finer;
  return {
    x: Math.floor(tile.x / finer),
    y: Math.floor(tile.y / finer),
    left: (tile.x % finer) * size,
    top: (tile.y % finer) * size,
    size,
  };
}

/** The server of a template, as a browser's policy names it; nothing for what isn't one. */
export function originOf(template: string | null): string | undefined {
  if (!template) return undefined;
  try {
    const { origin } = new URL(tileUrl(template, { z: 0, x: 0, y: 0 }));
    return origin === 'null' ? undefined : origin;
  } catch {
    return undefined;
  }
}
