import type { Pool, PoolSettings } from '../api/types';

/** A pool's settings as a person types them: everything is text until it is sent. */
export interface PoolForm {
  name: string;
  description: string;
  namespace: string;
  kind: PoolSettings['kind'];
  transport: PoolSettings['transport'];
  ssh_user: string;
  install_path: string;
  tcp: string;
  udp: string;
  rpc: string;
  visibility: PoolSettings['visibility'];
  test: boolean;
  kad_protocol: string;
  bootstrap: string;
  private_addresses: boolean;
  /** Days for which node detail is kept. */
  detail_days: string;
  /** Settings that only Brunet pools have. */
  runtime: Brunet['runtime'];
  local_network: Brunet['local_network'];
  mono_min: string;
  nodes_per_host: string;
  devices: string;
  call_deadline_s: string;
  security: Brunet['security'];
  crawl: Brunet['crawl'];
}

type Brunet = Pool['brunet'];

export function emptyForm(): PoolForm {
  return {
    name: '',
    description: '',
    namespace: '',
    kind: 'libp2p',
    transport: 'ssh',
    ssh_user: '',
    install_path: '~/p2ppool/{pool}',
    tcp: '4650',
    udp: '4650',
    rpc: '4651',
    visibility: 'private',
    test: false,
    kad_protocol: '',
    bootstrap: '',
    private_addresses: false,
    detail_days: '365',
    runtime: 'system',
    local_network: 'own',
    mono_min: '4.0',
    nodes_per_host: '1',
    devices: '',
    call_deadline_s: '5',
    security: { enabled: false, secure_edges: false, self_signed_certificates: false },
    crawl: { connections: false, round_trip: false, coordinates: false, namespace: false },
  };
}

/** The form that shows a pool's present settings. */
export function formOf(pool: Pool): PoolForm {
  return {
    name: pool.name,
    description: pool.description,
    namespace: pool.namespace,
    kind: pool.kind,
    transport: pool.transport,
    ssh_user: pool.ssh_user,
    install_path: pool.install_path,
    tcp: portText(pool.ports.tcp),
    udp: portText(pool.ports.udp),
    rpc: String(pool.ports.rpc),
    visibility: pool.visibility,
    test: pool.test,
    kad_protocol: pool.kad_protocol ?? '',
    bootstrap: pool.bootstrap.join('\n'),
    private_addresses: pool.private_addresses,
    detail_days: String(pool.detail_days),
    runtime: pool.brunet.runtime,
    local_network: pool.brunet.local_network,
    mono_min: pool.brunet.mono_min,
    nodes_per_host: String(pool.brunet.nodes_per_host),
    devices: pool.brunet.devices.join(' '),
    call_deadline_s: String(pool.brunet.call_deadline_s),
    security: { ...pool.brunet.security },
    crawl: { ...pool.brunet.crawl },
  };
}

export type FormField = keyof PoolForm;
export type FormErrors = Partial<Record<FormField, string>>;

/** What the manager takes at most: a century. */
const DETAIL_DAYS_MAX = 36_500;

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** What is wrong in the form, by field. The manager checks again; this only says it sooner. */
export function formErrors(form: PoolForm): FormErrors {
  const errors: FormErrors = {};
  const rule = 'must be 1 to 63 of a-z, 0-9 and “-”, beginning with a letter or digit';
  if (!NAME.test(form.name)) errors.name = rule;
  const namespace = namespaceError(form, rule);
  if (namespace) errors.namespace = namespace;
  if (form.kind === 'brunet') Object.assign(errors, brunetErrors(form));
  if (!within(form.detail_days, DETAIL_DAYS_MAX)) errors.detail_days = `must be 1 to ${DETAIL_DAYS_MAX} days`;
  for (const field of ['tcp', 'udp', 'rpc'] as const) {
    const off = field !== 'rpc' && form[field].trim() === '';
    if (!off && portOf(form[field]) === null) errors[field] = 'must be between 1 and 65535';
  }
  if (form.tcp.trim() === '' && form.udp.trim() === '') errors.tcp = 'at least one of TCP and UDP is needed';
  if (!errors.tcp && form.tcp.trim() !== '' && portOf(form.tcp) === portOf(form.rpc)) {
    errors.rpc = 'must differ from the TCP port';
  }
  if (!/^(~\/|\/)./.test(form.install_path)) {
    errors.install_path = 'must be absolute or begin with “~/”, and name a folder';
  } else if (form.transport === 'local' && !form.install_path.includes('{host}')) {
    errors.install_path = 'needs {host} when all hosts are on this machine';
  }
  return errors;
}

/** A whole number from 1 to `max`. */
function within(text: string, max: number): boolean {
  const number = /^\d{1,6}$/.test(text.trim()) ? Number(text) : 0;
  return number >= 1 && number <= max;
}

function namespaceError(form: PoolForm, rule: string): string | undefined {
  if (form.namespace === '') return undefined;
  if (form.kind === 'libp2p') return NAME.test(form.namespace) ? undefined : rule;
  const right = /^[A-Za-z0-9._:-]{1,255}$/.test(form.namespace);
  return right ? undefined : 'must be 1 to 255 letters, digits, “.”, “_”, “-” and “:”';
}

/** Bounds of the numbers that only Brunet pools have. */
const NODES_PER_HOST_MAX = 200;
const CALL_DEADLINE_MAX_S = 120;

function brunetErrors(form: PoolForm): FormErrors {
  const errors: FormErrors = {};
  if (!/^\d{1,6}(\.\d{1,6}){0,3}$/.test(form.mono_min)) errors.mono_min = 'must be a version such as 4.0';
  if (!within(form.nodes_per_host, NODES_PER_HOST_MAX)) {
    errors.nodes_per_host = `must be 1 to ${NODES_PER_HOST_MAX}`;
  }
  if (!within(form.call_deadline_s, CALL_DEADLINE_MAX_S)) {
    errors.call_deadline_s = `must be 1 to ${CALL_DEADLINE_MAX_S} seconds`;
  }
  const { enabled, secure_edges, self_signed_certificates } = form.security;
  if (!enabled && (secure_edges || self_signed_certificates)) {
    errors.security = 'secure edges and own certificates need security to be on';
  }
  return errors;
}

/** The settings as the API takes them. */
export function settingsOf(form: PoolForm): Partial<PoolSettings> {
  return {
    description: form.description,
    namespace: form.namespace.trim(),
    kind: form.kind,
    transport: form.transport,
    ssh_user: form.ssh_user.trim(),
    install_path: form.install_path.trim(),
    ports: { tcp: portOf(form.tcp), udp: portOf(form.udp), rpc: portOf(form.rpc) ?? 0 },
    visibility: form.visibility,
    test: form.test,
    kad_protocol: form.kad_protocol.trim() === '' ? null : form.kad_protocol.trim(),
    bootstrap: form.bootstrap.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()])),
    private_addresses: form.private_addresses,
    detail_days: Number(form.detail_days),
    ...(form.kind === 'brunet' ? { brunet: brunetOf(form) } : {}),
  };
}

function portOf(text: string): number | null {
  const port = /^\d{1,5}$/.test(text.trim()) ? Number(text.trim()) : 0;
  return port >= 1 && port <= 65535 ? port : null;
}

const portText = (port: number | null) => (port === null ? '' : String(port));

function brunetOf(form: PoolForm): Brunet {
  return {
    runtime: form.runtime,
    local_network: form.local_network,
    mono_min: form.mono_min,
    nodes_per_host: Number(form.nodes_per_host),
    devices: form.devices.split(/[\s,]+/).filter((device) => device !== ''),
    security: form.security,
    call_deadline_s: Number(form.call_deadline_s),
    crawl: form.crawl,
  };
}
