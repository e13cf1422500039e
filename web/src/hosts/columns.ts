import type { Host } from '../api/types';
import type { Column } from '../components/DataTable.svelte';
import { bytes } from '../format/bytes';
import { duration } from '../format/duration';
import { decimal, UNKNOWN } from '../format/number';
import type { Tone } from '../format/tone';

/** Columns of the hosts table. */
export const HOST_COLUMNS: Column[] = [
  { key: 'address', label: 'Host', sort: 'address' },
  { key: 'state', label: 'State' },
  { key: 'node_memory', label: 'Node memory', numeric: true },
  { key: 'node_cpu', label: 'Node CPU', title: 'CPU time of the node since its start', numeric: true },
  { key: 'node_uptime', label: 'Node uptime', numeric: true },
  { key: 'load', label: 'Load', title: 'One-minute load average', numeric: true },
  { key: 'memory', label: 'Memory free', numeric: true },
  { key: 'disk', label: 'Disk free', numeric: true },
  { key: 'package', label: 'Package' },
  { key: 'problem', label: 'Problem', fill: true },
  { key: 'at', label: 'Looked at' },
];

/** The columns that are shown to a person who never chose any: what a screen of 1280 pixels holds. */
export const HOST_COLUMNS_DEFAULT = [
  'address',
  'state',
  'node_memory',
  'node_uptime',
  'memory',
  'package',
  'problem',
  'at',
];

const seconds = (s: number | null) => (s === null ? UNKNOWN : duration(s * 1000));

/** The plain text of a host's cell. */
export function hostText(host: Host, key: string): string {
  const { known } = host;
  switch (key) {
    case 'node_memory':
      return bytes(known.node_memory);
    case 'node_cpu':
      return seconds(known.node_cpu_s);
    case 'node_uptime':
      return seconds(known.node_uptime_s);
    case 'load':
      return decimal(known.load, 2);
    case 'memory':
      return known.memory_total === null
        ? UNKNOWN
        : `${bytes(known.memory_available)} of ${bytes(known.memory_total)}`;
    case 'disk':
      return bytes(known.disk_free);
    case 'package':
      return known.package?.slice(0, 12) ?? UNKNOWN;
    case 'problem':
      return known.problem ?? '';
    default:
      return hostAddress(host);
  }
}

/** `address`, `address:port` or `[v6]:port`, as in a host list. */
export function hostAddress(host: Pick<Host, 'address' | 'port'>): string {
  if (host.port === null) return host.address;
  return host.address.includes(':') ? `[${host.address}]:${host.port}` : `${host.address}:${host.port}`;
}

/** A host's state in a word; what nobody knows is never called "stopped". */
export function hostState(host: Host): { tone: Tone; text: string } {
  const { reachable, running, problem } = host.known;
  if (host.leaving) return { tone: 'warn', text: 'Leaving' };
  if (reachable === null) return { tone: 'idle', text: 'Not looked at' };
  if (!reachable) return { tone: 'warn', text: 'Unreachable' };
  if (running) return problem ? { tone: 'warn', text: 'Running' } : { tone: 'ok', text: 'Running' };
  return running === false ? { tone: 'idle', text: 'Stopped' } : { tone: 'idle', text: 'Unknown' };
}
