import type { ConfiguredHost, HostSpec, JumpHost } from '../api/types';
import { jumpText } from '../pools/way';

/** What a host list knows a host by. */
export const placeOf = ({ address, port }: Pick<HostSpec, 'address' | 'port'>) =>
  `${address.toLowerCase()} ${port ?? 22}`;

/** Machines to go through as ssh writes them; empty: none. */
export const jumpsText = (jumps: readonly JumpHost[]) => jumps.map(jumpText).join(', ');

/** A host of a configuration, and why it can't be added. */
export interface Found {
  configured: ConfiguredHost;
  /** It is on the list already, or stands further up in the same text. */
  there: boolean;
}

/** The hosts of a configuration beside those that are on the list. */
export function foundIn(hosts: readonly ConfiguredHost[], known: readonly HostSpec[]): Found[] {
  const there = new Set(known.map(placeOf));
  return hosts.map((configured) => {
    const place = placeOf(configured.host);
    const found = { configured, there: there.has(place) };
    there.add(place);
    return found;
  });
}

/** The ways to these hosts that differ, as texts: a pool has one way for all of its hosts. */
export function waysOf(hosts: readonly ConfiguredHost[]): string[] {
  return [...new Set(hosts.map(({ jumps }) => jumpsText(jumps)))];
}
