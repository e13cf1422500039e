/** How fresh what the person sees is. */
export type Freshness =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'reconnecting'; since: number }
  | { state: 'stale'; since: number };

/** After this long without a connection what is shown counts as stale, in milliseconds. */
export const STALE_AFTER_MS = 15_000;

/** The next state when the connection opened or broke, or time went by. */
export function nextFreshness(was: Freshness, what: 'opened' | 'broke' | 'tick', now: number): Freshness {
  if (what === 'opened') return { state: 'live' };
  if (was.state === 'live') return what === 'broke' ? { state: 'reconnecting', since: now } : was;
  if (was.state === 'connecting') return what === 'broke' ? { state: 'reconnecting', since: now } : was;
  const long = now - was.since >= STALE_AFTER_MS;
  return was.state === 'reconnecting' && long ? { state: 'stale', since: was.since } : was;
}
