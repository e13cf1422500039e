import { untrack } from 'svelte';

import { asApiError, type ApiError } from '../api/error';
import type { Event } from '../api/types';
import { onLive } from './live.svelte';

type Load<T> = (signal: AbortSignal) => Promise<T>;

/** What a page shows of something that is read: the newest data, and why there is no newer. */
export interface Readable<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  reload(): void;
}

/** Something read from the manager. While it is read again, or when that fails, the old data stays. */
export class Resource<T> implements Readable<T> {
  data = $state.raw<T>();
  error = $state.raw<ApiError>();
  loading = $state(false);
  #load: Load<T> | undefined;
  #abort: AbortController | undefined;
  #again = false;

  /** Reads by `load`, giving up on what is under way. */
  start(load: Load<T> | undefined): void {
    this.#abort?.abort();
    this.#load = load;
    if (load) void this.#read(load);
  }

  /** Reads again; calls during a read lead to one more read after it. */
  reload(): void {
    if (!this.#load) return;
    if (this.loading) this.#again = true;
    else void this.#read(this.#load);
  }

  stop(): void {
    this.#abort?.abort();
  }

  async #read(load: Load<T>): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#again = false;
    this.loading = true;
    try {
      const data = await load(abort.signal);
      if (abort.signal.aborted) return;
      this.data = data;
      this.error = undefined;
    } catch (thrown) {
      if (abort.signal.aborted) return;
      this.error = asApiError(thrown);
    }
    this.loading = false;
    if (this.#again && this.#load) void this.#read(this.#load);
  }
}

/**
 * A resource that is read again whenever something that `source` looked at changes, when an event
 * comes that `outdates` it, and after a broken connection. `source` returns what reads it, or
 * nothing while there is nothing to read.
 */
export function resource<T>(
  source: () => Load<T> | undefined,
  outdates: (event: Event) => boolean = () => false,
): Resource<T> {
  const made = new Resource<T>();
  $effect(() => {
    const load = source();
    untrack(() => made.start(load));
    return () => made.stop();
  });
  onLive((events) => {
    if (events.some((event) => event.type === 'reread' || outdates(event))) made.reload();
  });
  return made;
}

/** What is read, seen through a function that is as cheap as a filter. */
export function seen<T, U>(read: () => Readable<T>, through: (data: T) => U): Readable<U> {
  const data = $derived.by(() => {
    const { data } = read();
    return data === undefined ? undefined : through(data);
  });
  return {
    get data() {
      return data;
    },
    get error() {
      return read().error;
    },
    get loading() {
      return read().loading;
    },
    reload: () => read().reload(),
  };
}
