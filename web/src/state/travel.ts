import type { When } from '../api/calls';
import { id, idOf, text, type Values } from './view';

/** Which crawl an address means: by number, or the one nearest to a time. */
export const TRAVEL_FIELDS = { crawl: id(), at: text() };

/** What the address says, as the API takes it; a time that is none is left out. */
export function whenOf(view: Values<typeof TRAVEL_FIELDS>): When {
  const crawl = idOf(view.crawl);
  if (crawl !== undefined) return { crawl };
  // Browsers read almost anything as a time; a mangled link must show the present instead.
  const at = /^\d{4}-\d\d-\d\d/.test(view.at) ? Date.parse(view.at) : NaN;
  return Number.isNaN(at) ? {} : { at: new Date(at).toISOString() };
}

/** A query string with another crawl in it; a table begins at its first page again. */
export function travelQuery(query: URLSearchParams, when: When): string {
  const other = new URLSearchParams(query);
  for (const key of ['crawl', 'at', 'page']) other.delete(key);
  if (when.crawl !== undefined) other.set('crawl', String(when.crawl));
  else if (when.at !== undefined) other.set('at', when.at);
  return other.toString();
}

interface Crawl {
  id: number;
  started: string;
}

/** Where a crawl is in a list (oldest first); of a time, the one that began nearest to it. */
export function placeIn(crawls: readonly Crawl[], when: When): number | undefined {
  if (crawls.length === 0) return undefined;
  if (when.crawl !== undefined) {
    const at = crawls.findIndex((one) => one.id === when.crawl);
    return at === -1 ? undefined : at;
  }
  if (when.at === undefined) return crawls.length - 1;
  const asked = Date.parse(when.at);
  const away = crawls.map((one) => Math.abs(Date.parse(one.started) - asked));
  return away.indexOf(Math.min(...away));
}

/** A crawl is in a list (oldest first), or a time not before it; later times are nearest to its end. */
export function isWithin(crawls: readonly Crawl[], when: When): boolean {
  if (when.crawl !== undefined) return crawls.some((one) => one.id === when.crawl);
  const [oldest] = crawls;
  return when.at === undefined || (oldest !== undefined && Date.parse(when.at) >= Date.parse(oldest.started));
}
