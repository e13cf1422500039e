import { getContext, setContext } from 'svelte';

import * as api from '../api/calls';
import type { Snapshot } from '../api/types';
import { byCrawl } from './outdated';
import { resource, type Readable } from './resource.svelte';
import { router } from './router.svelte';
import type { PoolPage } from './routes';
import { isWithin, placeIn, travelQuery, TRAVEL_FIELDS, whenOf } from './travel';

/** Crawls that the slider reaches at once; older ones are a button away. */
const CRAWLS = 200;

/** Pages that can show how a pool was. */
const TRAVELLING: readonly PoolPage[] = ['nodes', 'node', 'map', 'ring', 'deployed', 'stats'];
export const canTravel = (page: PoolPage) => TRAVELLING.includes(page);

/** Which crawl of a pool the page shows: one of the past, or always the newest. */
class Travel {
  readonly crawls: Readable<{ items: Snapshot[]; before: number | null }>;
  readonly #pool: string;
  /** The list of crawls ends before this time (RFC 3339); empty: with the newest. */
  #until = $state('');
  /** The crawl that was last looked for outside of the list. */
  #sought = '';
  #busy = new Set<() => boolean>();

  /** Crawls are listed while a page that can travel is `open`. */
  constructor(pool: string, open: () => boolean) {
    this.#pool = pool;
    this.crawls = resource(() => {
      if (!open()) return undefined;
      const until = this.#until === '' ? undefined : this.#until;
      return (signal) => api.snapshots(pool, { limit: CRAWLS, to: until }, signal);
    }, byCrawl(pool));
  }

  /** The crawl of this address, as the API takes it. */
  get when(): api.When {
    return whenOf(router.view(TRAVEL_FIELDS));
  }

  get past(): boolean {
    return this.when.crawl !== undefined || this.when.at !== undefined;
  }

  /** Crawls that the slider reaches, oldest first. */
  get reach(): Snapshot[] {
    return [...(this.crawls.data?.items ?? [])].reverse();
  }

  /** Where in `reach` the shown crawl is; nothing when it is not in it. */
  get position(): number | undefined {
    return placeIn(this.reach, this.when);
  }

  /** The crawl that is shown, when it is within reach. */
  get shown(): Snapshot | undefined {
    return this.position === undefined ? undefined : this.reach[this.position];
  }

  /** The list does not end with the newest crawl. */
  get endsEarlier(): boolean {
    return this.#until !== '';
  }

  /** Query that leads other pages to the same crawl, with its `?`; empty when it is now. */
  get carried(): string {
    const query = travelQuery(new URLSearchParams(), this.when);
    return query === '' ? '' : `?${query}`;
  }

  /** Shows a crawl, or the newest. Everything else of the address stays, but for the page of a table. */
  go(crawl: number | undefined, how: 'push' | 'replace' = 'push'): void {
    const query = travelQuery(router.query, { crawl });
    router.go(query === '' ? router.path : `${router.path}?${query}`, how);
  }

  /** Moves by so many crawls; the newest is now. */
  step(by: number, how: 'push' | 'replace' = 'push'): void {
    const { reach } = this;
    const at = Math.min(reach.length - 1, Math.max(0, (this.position ?? reach.length - 1) + by));
    this.go(this.crawlAt(at), how);
  }

  /** The crawl at a position, as the address says it: the newest of all is none. */
  crawlAt(position: number): number | undefined {
    const newest = position === this.reach.length - 1 && !this.endsEarlier;
    return newest ? undefined : this.reach[position]?.id;
  }

  /** Lists the crawls before those that are listed, and goes to the newest of them. */
  reachOlder(): void {
    const oldest = this.reach[0];
    if (!oldest) return;
    this.#until = after(oldest);
    this.go(oldest.id);
  }

  /** Lists the newest crawls, and goes to the newest of all. */
  reachNewest(): void {
    this.#until = '';
    this.go(undefined);
  }

  /** Lists the crawls around the one that is shown, when it isn't among those that are listed. */
  async reachShown(): Promise<void> {
    const { when, reach } = this;
    const key = JSON.stringify(when);
    if (!this.past || reach.length === 0 || isWithin(reach, when) || this.#sought === key) return;
    this.#sought = key;
    // The manager knows when it began; a crawl that there is not, the page itself tells.
    const found = await api.nodes(this.#pool, { ...when, limit: 0 }).catch(() => undefined);
    if (found?.crawl) this.#until = after(found.crawl);
  }

  /** While `loading` is true the page still reads; playing waits for it. Call it in a component's script. */
  waitsFor(loading: () => boolean): void {
    $effect(() => {
      this.#busy.add(loading);
      return () => this.#busy.delete(loading);
    });
  }

  get busy(): boolean {
    return this.crawls.loading || [...this.#busy].some((loading) => loading());
  }
}

/** The first moment that is later than the beginning of a crawl. */
const after = (crawl: Snapshot) => new Date(Date.parse(crawl.started) + 1).toISOString();

const KEY = Symbol('travel');

export const provideTravel = (pool: string, open: () => boolean): Travel =>
  setContext(KEY, new Travel(pool, open));
export const theTravel = (): Travel => getContext<Travel>(KEY);
