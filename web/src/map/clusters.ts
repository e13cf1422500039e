import Supercluster from 'supercluster';

import type { MapPoints } from '../api/types';
import type { Tone } from '../format/tone';

/** One thing on the map: a node, or several that are too close to be told apart at this zoom. */
export type Mark =
  | { kind: 'node'; lon: number; lat: number; index: number }
  | { kind: 'cluster'; lon: number; lat: number; cluster: number; nodes: number; well: number };

/** Nodes with a place, one array per column. */
export type Located = Pick<MapPoints, 'ids' | 'lat' | 'lon' | 'consistency' | 'status'>;

/** West, south, east, north in degrees. */
export type Bounds = [number, number, number, number];

export const WORLD: Bounds = [-180, -90, 180, 90];

/** Nodes nearer than this become one cluster, in CSS pixels. */
const CLUSTER_RADIUS = 36;
/** Width of the world in pixels at zoom 0: the unit that zoom levels are counted in. */
const WORLD_PIXELS = 256;
/** Finest zoom at which nodes are still clustered; beyond it only nodes at the same place are. */
export const CLUSTER_ZOOM_MAX = 12;

interface PointProperties {
  index: number;
}
interface Sums {
  well: number;
}

/** A node is well when it answers and knows all the neighbours that it should. */
export function toneOf(points: Located, index: number): Tone {
  if (points.status[index] !== 'answering') return 'bad';
  const consistency = points.consistency[index];
  return consistency === null || consistency === undefined || consistency >= 1 ? 'ok' : 'warn';
}

/** The clustering zoom at which a world `width` pixels wide is shown. */
export function zoomFor(width: number): number {
  return Math.max(0, Math.min(CLUSTER_ZOOM_MAX + 1, Math.floor(Math.log2(width / WORLD_PIXELS))));
}

/** Nodes of a snapshot, ready to be asked for what is seen at a zoom. */
export class MapIndex {
  #index: Supercluster<PointProperties, Sums>;

  constructor(readonly points: Located) {
    this.#index = new Supercluster<PointProperties, Sums>({
      radius: CLUSTER_RADIUS,
      extent: WORLD_PIXELS,
      maxZoom: CLUSTER_ZOOM_MAX,
      map: ({ index }) => ({ well: toneOf(points, index) === 'ok' ? 1 : 0 }),
      reduce: (sums, other) => {
        sums.well += other.well;
      },
    });
    this.#index.load(
      points.ids.map((_, index) => ({
        type: 'Feature' as const,
        geometry: { type: 'Point' as const, coordinates: [points.lon[index] ?? 0, points.lat[index] ?? 0] },
        properties: { index },
      })),
    );
  }

  /** What is to be drawn within these bounds. */
  marks(bounds: Bounds, zoom: number): Mark[] {
    return this.#index.getClusters(bounds, zoom).map((feature) => {
      const [lon = 0, lat = 0] = feature.geometry.coordinates;
      const properties = feature.properties;
      if ('cluster' in properties) {
        const { cluster_id: cluster, point_count: nodes, well } = properties;
        return { kind: 'cluster', lon, lat, cluster, nodes, well };
      }
      return { kind: 'node', lon, lat, index: properties.index };
    });
  }

  /** The zoom at which a cluster falls apart; nothing when its nodes are all at one place. */
  splitsAt(cluster: number): number | undefined {
    const zoom = this.#index.getClusterExpansionZoom(cluster);
    return zoom > CLUSTER_ZOOM_MAX ? undefined : zoom;
  }

  /** Addresses of the nodes in a cluster, at most `max`. */
  members(cluster: number, max: number): string[] {
    return this.#index
      .getLeaves(cluster, max)
      .flatMap((leaf) => this.points.ids[leaf.properties.index] ?? []);
  }
}
