import type { Node } from '../api/types';
import type { Column } from '../components/DataTable.svelte';
import { bytes } from '../format/bytes';
import { duration } from '../format/duration';
import { count, decimal, percent, UNKNOWN } from '../format/number';
import { middle, words } from '../format/words';

interface NodeColumn extends Column {
  /** The cell's plain text. */
  text: (node: Node) => string;
}

const or = (text: string | null) => text ?? UNKNOWN;
const seconds = (s: number | null) => (s === null ? UNKNOWN : duration(s * 1000));

/** Every column of the nodes table; the first one is always shown. */
export const NODE_COLUMNS: NodeColumn[] = [
  { key: 'host_name', label: 'Host', sort: 'host_name', text: (n) => n.host_name ?? n.ip ?? 'not ours' },
  { key: 'address', label: 'Overlay address', sort: 'address', text: (n) => middle(n.address, 20) },
  { key: 'status', label: 'Status', sort: 'status', text: (n) => words(n.status) },
  { key: 'version', label: 'Version', sort: 'version', text: (n) => or(n.version) },
  {
    key: 'consistency',
    label: 'Consistency',
    title: 'Share of its true closest neighbours that it knows',
    numeric: true,
    sort: 'consistency',
    text: (n) => percent(n.consistency),
  },
  {
    key: 'connections',
    label: 'Connections',
    numeric: true,
    sort: 'connections',
    text: (n) => count(n.connections),
  },
  {
    key: 'tcp',
    label: 'TCP',
    title: 'Connections over TCP',
    numeric: true,
    sort: 'tcp',
    text: (n) => count(n.tcp),
  },
  {
    key: 'udp',
    label: 'UDP',
    title: 'Connections over UDP (QUIC)',
    numeric: true,
    sort: 'udp',
    text: (n) => count(n.udp),
  },
  {
    key: 'relayed',
    label: 'Relayed',
    title: 'Connections through a relay',
    numeric: true,
    sort: 'relayed',
    text: (n) => count(n.relayed),
  },
  {
    key: 'secure',
    label: 'Secure',
    title: 'Secure associations',
    numeric: true,
    sort: 'secure',
    text: (n) => count(n.secure),
  },
  {
    key: 'rtt_ms',
    label: 'RTT',
    title: 'Round-trip time',
    numeric: true,
    sort: 'rtt_ms',
    text: (n) => (n.rtt_ms === null ? UNKNOWN : `${decimal(n.rtt_ms, n.rtt_ms < 10 ? 1 : 0)} ms`),
  },
  { key: 'retries', label: 'Retries', numeric: true, sort: 'retries', text: (n) => count(n.retries) },
  { key: 'uptime_s', label: 'Uptime', numeric: true, sort: 'uptime_s', text: (n) => seconds(n.uptime_s) },
  { key: 'memory', label: 'Memory', numeric: true, sort: 'memory', text: (n) => bytes(n.memory) },
  { key: 'cpu_s', label: 'CPU time', numeric: true, sort: 'cpu_s', text: (n) => seconds(n.cpu_s) },
  { key: 'load', label: 'Load', numeric: true, sort: 'load', text: (n) => decimal(n.load, 2) },
  { key: 'namespace', label: 'Namespace', sort: 'namespace', text: (n) => or(n.namespace) },
  { key: 'ip', label: 'IP address', sort: 'ip', text: (n) => or(n.ip) },
  {
    key: 'location',
    label: 'Location',
    text: (n) =>
      n.location ? `${n.location.latitude.toFixed(2)}, ${n.location.longitude.toFixed(2)}` : UNKNOWN,
  },
  {
    key: 'virtual_ip',
    label: 'Virtual IP',
    text: (n) => (n.details.kind === 'brunet' ? n.details.virtual_ips.join(', ') || UNKNOWN : UNKNOWN),
  },
  {
    key: 'package',
    label: 'Package',
    sort: 'package',
    text: (n) => (n.package ? n.package.slice(0, 12) : UNKNOWN),
  },
];

/** The columns that are shown to a person who never chose any: what a screen of 1280 pixels holds. */
export const NODE_COLUMNS_DEFAULT = [
  'host_name',
  'address',
  'status',
  'version',
  'consistency',
  'connections',
  'rtt_ms',
  'uptime_s',
];
