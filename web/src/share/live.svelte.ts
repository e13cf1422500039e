import { onMount } from 'svelte';

import type { Resource } from '../state/resource.svelte';

/** Who has no account gets no events: what a link shows is read again so often, in milliseconds. */
const EVERY_MS = 60_000;

/** Keeps what a link shows up to date while its page is seen, and tells when the link is over. */
export function keepRead(resource: Resource<unknown>, over: () => void): void {
  $effect(() => {
    if (resource.error?.status === 404) over();
  });
  onMount(() => {
    const timer = window.setInterval(() => {
      if (document.visibilityState === 'visible') resource.reload();
    }, EVERY_MS);
    const seen = () => document.visibilityState === 'visible' && resource.reload();
    document.addEventListener('visibilitychange', seen);
    window.addEventListener('online', seen);
    return () => {
      window.clearInterval(timer);
      document.removeEventListener('visibilitychange', seen);
      window.removeEventListener('online', seen);
    };
  });
}
