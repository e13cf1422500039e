import { geoMercator, geoNaturalEarth1, geoPath, type GeoProjection } from 'd3-geo';
import type { MultiPoint } from 'geojson';

import type { Basemap } from './basemap';
import { WORLD, type Bounds } from './clusters';
import type { WorldSquare } from './tiles';

/** What d3-zoom calls a transform. */
export interface Transform {
  x: number;
  y: number;
  k: number;
}

/** Everything people live on, without most of the Antarctic, fills the canvas at first. */
const INHABITED: MultiPoint = {
  type: 'MultiPoint',
  coordinates: [
    [-168, 0],
    [180, 0],
    [0, 80],
    [0, -57],
  ],
};

/** The projection that shows the inhabited world in so many pixels; for picture tiles it is the one they are drawn in. */
export function worldProjection(width: number, height: number, tiled = false): GeoProjection {
  const projection = tiled ? geoMercator() : geoNaturalEarth1();
  return projection.fitExtent(
    [
      [4, 4],
      [width - 4, height - 4],
    ],
    INHABITED,
  );
}

/** Where the square of a Mercator world lies under a transform; its width is that of all longitudes. */
export function worldSquare(projection: GeoProjection, { x, y, k }: Transform): WorldSquare {
  const [left, equator] = projection([-180, 0]) ?? [0, 0];
  const size = worldWidth(projection);
  return { left: x + k * left, top: y + k * (equator - size / 2), size: k * size };
}

/** Width of the whole world in pixels before zooming. */
export function worldWidth(projection: GeoProjection): number {
  const west = projection([-180, 0])?.[0] ?? 0;
  const east = projection([180, 0])?.[0] ?? 1;
  return east - west;
}

/** The basemap as paths, projected once; zooming only transforms them. */
export function worldPaths(
  projection: GeoProjection,
  map: Basemap,
): { sphere: Path2D; land: Path2D; borders: Path2D } {
  const path = geoPath(projection);
  return {
    sphere: new Path2D(path({ type: 'Sphere' }) ?? ''),
    land: new Path2D(path(map.land) ?? ''),
    borders: new Path2D(path(map.borders) ?? ''),
  };
}

/** So far zoomed in, only what is in sight is asked for. */
const BOUNDED_FROM = 6;

/** The part of the world in sight, generously; all of it until zoomed in well. */
export function boundsInSight(
  projection: GeoProjection,
  transform: Transform,
  width: number,
  height: number,
): Bounds {
  if (transform.k < BOUNDED_FROM || !projection.invert) return WORLD;
  const bounds: Bounds = [180, 90, -180, -90];
  for (const [x, y] of [
    [0, 0],
    [width, 0],
    [0, height],
    [width, height],
    [width / 2, 0],
    [width / 2, height],
  ] as const) {
    const place = projection.invert([(x - transform.x) / transform.k, (y - transform.y) / transform.k]);
    if (!place || place.some(Number.isNaN)) return WORLD;
    bounds[0] = Math.min(bounds[0], place[0]);
    bounds[1] = Math.min(bounds[1], place[1]);
    bounds[2] = Math.max(bounds[2], place[0]);
    bounds[3] = Math.max(bounds[3], place[1]);
  }
  const margin = (bounds[2] - bounds[0]) / 8;
  return [bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin];
}
