import type { MapPoints } from '../api/types';
import type { SharedMap } from '../api/sharing';

/** The points of a share link, column by column as the map draws them. Nodes have numbers: their addresses are not told. */
export function pointsOf({ points, credits }: Pick<SharedMap, 'points' | 'credits'>): MapPoints {
  const namespaces = [...new Set(points.flatMap(({ namespace }) => namespace ?? []))];
  return {
    crawl: null,
    credits,
    ids: points.map((_, i) => `Node ${i + 1}`),
    hosts: points.map((point) => point.host_name),
    lat: points.map((point) => point.latitude),
    lon: points.map((point) => point.longitude),
    status: points.map((point) => point.status),
    consistency: points.map((point) => point.consistency),
    namespace: points.map(({ namespace }) => (namespace === null ? null : namespaces.indexOf(namespace))),
    namespaces,
    unlocated: 0,
  } as MapPoints;
}
