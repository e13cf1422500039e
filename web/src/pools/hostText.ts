import type { HostSpec } from '../api/types';
import { hostAddress } from '../hosts/columns';

/** The text form of these hosts, one line each, as a person would write it. */
export function renderHosts(hosts: readonly HostSpec[]): string {
  return hosts
    .map((host) => {
      const words = [`${host.user === null ? '' : `${host.user}@`}${hostAddress(host)}`];
      if (host.location) words.push(`${host.location.latitude},${host.location.longitude}`);
      for (const [key, value] of Object.entries(host.labels)) words.push(`${key}=${value}`);
      return `${words.join(' ')}\n`;
    })
    .join('');
}

/** Lines after those that are there. */
export function appended(text: string, lines: string): string {
  return text === '' || text.endsWith('\n') ? text + lines : `${text}\n${lines}`;
}
