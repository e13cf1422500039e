import type { MapPoints } from '../api/types';

/** The points of one namespace; all of them when its name is empty. Who tells no namespace is in none. */
export function ofNamespace(points: MapPoints, name: string): MapPoints {
  if (name === '') return points;
  const wanted = points.namespaces.indexOf(name);
  const kept = points.namespace.flatMap((one, i) => (one === wanted && wanted >= 0 ? i : []));
  const at = <T>(column: readonly T[]) => kept.map((i) => column[i] as T);
  return {
    ...points,
    ids: at(points.ids),
    lat: at(points.lat),
    lon: at(points.lon),
    consistency: at(points.consistency),
    status: at(points.status),
    hosts: at(points.hosts),
    namespace: at(points.namespace),
  };
}
