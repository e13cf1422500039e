import type { GeometryCollection, Topology } from 'topojson-specification';
import type { FeatureCollection, MultiLineString } from 'geojson';
import { feature, mesh } from 'topojson-client';
import coarseUrl from 'world-atlas/countries-110m.json?url';
import fineUrl from 'world-atlas/countries-50m.json?url';

/** Land and the borders between countries (Natural Earth, public domain). */
export interface Basemap {
  land: FeatureCollection;
  borders: MultiLineString;
}

export type Detail = 'coarse' | 'fine';

const URLS: Record<Detail, string> = { coarse: coarseUrl, fine: fineUrl };
const loaded = new Map<Detail, Promise<Basemap>>();

/** Reads the basemap once; both details are files of this application. */
export function basemap(detail: Detail): Promise<Basemap> {
  let promise = loaded.get(detail);
  if (!promise) {
    promise = read(URLS[detail]);
    promise.catch(() => loaded.delete(detail));
    loaded.set(detail, promise);
  }
  return promise;
}

async function read(url: string): Promise<Basemap> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`the basemap could not be read: HTTP status ${answer.status}`);
  const topology = (await answer.json()) as Topology<{ countries: GeometryCollection }>;
  const { countries } = topology.objects;
  return {
    land: feature(topology, countries),
    borders: mesh(topology, countries, (a, b) => a !== b),
  };
}
