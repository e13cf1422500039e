/** The JSON shapes of the manager's API. Optional values are `null`: unknown, never zero. */

export type Action =
  | 'install'
  | 'upgrade'
  | 'suspend'
  | 'resume'
  | 'stop'
  | 'check'
  | 'crawl'
  | 'uninstall_check'
  | 'gather_logs'
  | 'gather_data'
  | 'gather_usage';

export type PoolState = 'created' | 'running' | 'suspended' | 'uninstalling';
export type OverlayKindName = 'libp2p' | 'brunet';
export type TransportName = 'ssh' | 'local';
export type Visibility = 'private' | 'public';
export type TaskState =
  'queued' | 'running' | 'succeeded' | 'partial' | 'failed' | 'cancelled' | 'preempted' | 'interrupted';
export type Outcome =
  'not_started' | 'running' | 'ok' | 'unchanged' | 'unreachable' | 'refused' | 'failed' | 'cancelled';
export type NodeStatus = 'answering' | 'dial_failed' | 'connect_failed' | 'ask_failed' | 'not_dialled';

export interface Ports {
  tcp: number | null;
  udp: number | null;
  rpc: number;
}

export interface PoolSettings {
  description: string;
  namespace: string;
  kind: OverlayKindName;
  transport: TransportName;
  ports: Ports;
  ssh_user: string;
  install_path: string;
  default: boolean;
  test: boolean;
  visibility: Visibility;
  network_secret?: string | null;
  kad_protocol: string | null;
  bootstrap: string[];
  private_addresses: boolean;
}

export interface Pool extends PoolSettings {
  id: number;
  name: string;
  state: PoolState;
  bundle: string | null;
  package: string | null;
  owner: number | null;
  created: string;
}

export interface HostCounts {
  total: number;
  reachable: number;
  running: number;
}

export interface PoolSummary extends Pool {
  hosts: HostCounts;
  snapshot: Snapshot | null;
  tasks: Task[];
}

export interface Location {
  latitude: number;
  longitude: number;
}

export interface HostSpec {
  address: string;
  port: number | null;
  user: string | null;
  location: Location | null;
  labels: Record<string, string>;
}

export interface HostKnown {
  reachable: boolean | null;
  package: string | null;
  running: boolean | null;
  node: string | null;
  node_memory: number | null;
  node_cpu_s: number | null;
  node_uptime_s: number | null;
  memory_total: number | null;
  memory_available: number | null;
  load: number | null;
  disk_free: number | null;
  uptime_s: number | null;
  arch: string | null;
  problem: string | null;
  at: string | null;
}

export interface Host extends HostSpec {
  id: number;
  pool: number;
  known: HostKnown;
  leaving: boolean;
}

export interface PinnedKey {
  public_key: string;
  fingerprint: string;
  since: string;
}

export interface LineError {
  line: number;
  reason: string;
}

export interface HostList {
  hosts: HostSpec[];
  errors: LineError[];
  duplicates: LineError[];
}

export interface Totals {
  nodes: number;
  answering: number;
  unreachable: number;
  consistency: number | null;
  connections: number;
  tcp: number;
  udp: number;
  relayed: number;
  secure: number;
  retries: number;
  missing: number;
  joined: number;
  left: number;
}

export interface Snapshot extends Totals {
  id: number;
  pool: number;
  task: number | null;
  started: string;
  duration_ms: number;
}

export type NodeDetails =
  | { kind: 'libp2p'; nat: string | null; protocols: string[]; info: boolean }
  | { kind: 'brunet'; virtual_ips: string[]; ipop_namespace: string | null };

export interface Node {
  address: string;
  status: NodeStatus;
  error: string | null;
  host: number | null;
  host_name: string | null;
  ip: string | null;
  transport_addresses: string[];
  version: string | null;
  package: string | null;
  namespace: string | null;
  consistency: number | null;
  connections: number | null;
  tcp: number | null;
  udp: number | null;
  relayed: number | null;
  secure: number | null;
  retries: number;
  rtt_ms: number | null;
  uptime_s: number | null;
  memory: number | null;
  cpu_s: number | null;
  load: number | null;
  location: Location | null;
  neighbours: string[];
  details: NodeDetails;
}

export interface NodePage {
  crawl: Snapshot | null;
  total: number;
  items: Node[];
  missing: Host[];
}

/** Nodes of a snapshot with a location, one array per column. */
export interface MapPoints {
  ids: string[];
  lat: number[];
  lon: number[];
  consistency: (number | null)[];
  status: NodeStatus[];
}

export type Counts = Partial<Record<Outcome, number>>;

export interface Task {
  id: number;
  pool: number;
  pool_name: string;
  action: Action;
  state: TaskState;
  started_by: string;
  queued_at: string;
  started_at: string | null;
  ended_at: string | null;
  counts: Counts;
  message: string;
  waits_for: number | null;
  end_request: 'cancel' | 'preempt' | null;
  retry_of: number | null;
  params: Record<string, unknown>;
  result: Record<string, unknown> | null;
}

export interface TaskHost {
  host: number;
  address: string;
  outcome: Outcome;
  step: string | null;
  cause: string | null;
  message: string;
  attempt: number;
  duration_ms: number | null;
  at: string | null;
}

export interface Page<T> {
  total: number;
  items: T[];
}

export interface BundleFile {
  path: string;
  size: number;
  executable: boolean;
}

export interface Bundle {
  digest: string;
  name: string;
  kind: OverlayKindName;
  size: number;
  program: string;
  version: string | null;
  arch: string | null;
  files: BundleFile[];
  created: string;
}

export interface KeyInfo {
  algorithm: string;
  fingerprint: string;
  public_key: string;
  encrypted: boolean;
}

export interface PoolFile {
  path: string;
  size: number;
  modified: string;
}

export interface ClientConfig {
  name: string;
  media_type: string;
  text: string;
}

export interface Person {
  name: string;
  role: string;
}

export interface Token {
  id: number;
  name: string;
  created: string;
  last_used: string | null;
  expires: string | null;
}

/** What changed, as one server-sent event says it. */
export type Event = { id: number; at: string; pool: string | null } & (
  | { type: 'task'; task: Task }
  | { type: 'task_hosts'; task: number; hosts: TaskHost[] }
  | { type: 'crawl'; crawl: number }
  | { type: 'pool' }
  | { type: 'reread' }
);
