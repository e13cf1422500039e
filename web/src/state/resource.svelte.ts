import { untrack } from 'svelte';
import { asApiError, type ApiError } from '../api/error';

type Load<T> = (signal: AbortSignal) => Promise<T>;

/** Something read from the manager. While it is read again, or when that fails, the old data stays. */
export class Resource<T> {
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
 * A resource that is read again whenever something that `source` looked at changes. `source`
 * returns what reads it, or nothing while there is nothing to read.
 */
export function resource<T>(source: () => Load<T> | undefined): Resource<T> {
  const made = new Resource<T>();
  $effect(() => {
    const load = source();
    untrack(() => made.start(load));
    return () => made.stop();
  });
  return made;
}
