import type { Pool, PoolSettings } from '../api/types';

/** A pool's settings as a person types them: everything is text until it is sent. */
export interface PoolForm {
  name: string;
  description: string;
  namespace: string;
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
}

export function emptyForm(): PoolForm {
  return {
    name: '',
    description: '',
    namespace: '',
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
  };
}

/** The form that shows a pool's present settings. */
export function formOf(pool: Pool): PoolForm {
  return {
    name: pool.name,
    description: pool.description,
    namespace: pool.namespace,
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
  };
}

export type FormField = keyof PoolForm;
export type FormErrors = Partial<Record<FormField, string>>;

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** What is wrong in the form, by field. The manager checks again; this only says it sooner. */
export function formErrors(form: PoolForm): FormErrors {
  const errors: FormErrors = {};
  const rule = 'must be 1 to 63 of a-z, 0-9 and “-”, beginning with a letter or digit';
  if (!NAME.test(form.name)) errors.name = rule;
  if (form.namespace !== '' && !NAME.test(form.namespace)) errors.namespace = rule;
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

/** The settings as the API takes them. */
export function settingsOf(form: PoolForm): Partial<PoolSettings> {
  return {
    description: form.description,
    namespace: form.namespace.trim(),
    transport: form.transport,
    ssh_user: form.ssh_user.trim(),
    install_path: form.install_path.trim(),
    ports: { tcp: portOf(form.tcp), udp: portOf(form.udp), rpc: portOf(form.rpc) ?? 0 },
    visibility: form.visibility,
    test: form.test,
    kad_protocol: form.kad_protocol.trim() === '' ? null : form.kad_protocol.trim(),
    bootstrap: form.bootstrap.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()])),
    private_addresses: form.private_addresses,
  };
}

function portOf(text: string): number | null {
  const port = /^\d{1,5}$/.test(text.trim()) ? Number(text.trim()) : 0;
  return port >= 1 && port <= 65535 ? port : null;
}

const portText = (port: number | null) => (port === null ? '' : String(port));
