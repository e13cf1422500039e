/** Where the map is: the middle in degrees, and how far it is zoomed in (1: the whole world). */
export interface Place {
  lon: number;
  lat: number;
  k: number;
}

/** `lon,lat,k` as it stands in an address; nothing for what isn't a place. */
export function parsePlace(text: string): Place | undefined {
  const [lon, lat, k, ...more] = text.split(',').map((part) => (part === '' ? NaN : Number(part)));
  if (lon === undefined || lat === undefined || k === undefined || more.length > 0) return undefined;
  const right = Math.abs(lon) <= 180 && Math.abs(lat) <= 90 && k >= 1;
  return right ? { lon, lat, k } : undefined;
}

/** The place in an address; the whole world needs no words. */
export function renderPlace({ lon, lat, k }: Place): string {
  return k <= 1.01 ? '' : `${lon.toFixed(2)},${lat.toFixed(2)},${k.toFixed(2)}`;
}
