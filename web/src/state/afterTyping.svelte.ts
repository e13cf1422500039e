import { resource, type Resource } from './resource.svelte';

/** What is typed is asked about after a pause, in milliseconds. */
const PAUSE_MS = 250;

/** What the manager says of something that a person types, kept up to date; `source` is as that of `resource`. */
export function afterTyping<T>(source: () => ((signal: AbortSignal) => Promise<T>) | undefined): Resource<T> {
  return resource<T>(() => {
    const load = source();
    if (!load) return undefined;
    return async (signal) => {
      await new Promise((go) => setTimeout(go, PAUSE_MS));
      signal.throwIfAborted();
      return load(signal);
    };
  });
}
