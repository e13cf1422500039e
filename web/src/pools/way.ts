import type { JumpHost, SshAccess } from '../api/types';

/** How hosts are reached beside the pool's key, as a person types it. */
export interface WayForm {
  agent: boolean;
  agentKey: string;
  /** As OpenSSH's ProxyJump: `[user@]host[:port],…`, the nearest first. */
  jumps: string;
  /** Through each jump host that has no limit of its own. */
  handshakes: string;
  /** Limits of single jump hosts by [`machineOf`]; empty: as through each. */
  limits: Record<string, string>;
}

/** What the manager takes at most. */
const JUMPS_MAX = 4;
const HANDSHAKES_MAX = 256;
const LIMIT_ERROR = `1 to ${HANDSHAKES_MAX}.`;
const SSH_PORT = 22;
/** Handshakes at once through a jump host when nobody says otherwise. */
export const HANDSHAKES = '8';

export function wayOf(access: SshAccess): WayForm {
  return {
    agent: access.agent,
    agentKey: access.agent_key ?? '',
    jumps: access.jumps.map(jumpText).join(', '),
    handshakes: access.jump_handshakes?.toString() ?? '',
    limits: Object.fromEntries(
      access.jumps.map((jump) => [machineOf(jump), jump.handshakes?.toString() ?? '']),
    ),
  };
}

/** One jump host as ssh writes it. */
export function jumpText({ user, address, port }: JumpHost): string {
  const place = port && address.includes(':') ? `[${address}]` : address;
  return `${user ? `${user}@` : ''}${place}${port ? `:${port}` : ''}`;
}

/** One jump host as a person types it; undefined: it is none. */
export function jumpOf(text: string): JumpHost | undefined {
  const match =
    /^(?:([^@\s,]+)@)?(?:\[([^\]\s]+)\]|([^\s:@[\]]+|[^\s@[\]]*:[^\s@[\]]*:[^\s@[\]]*))(?::(\d{1,5}))?$/.exec(
      text.trim(),
    );
  if (!match) return undefined;
  const [, user, bracketed, plain, digits] = match;
  const port = digits === undefined ? null : Number(digits);
  if (port !== null && (port < 1 || port > 65_535)) return undefined;
  return { address: bracketed ?? plain!, port, user: user ?? null, handshakes: null };
}

/** What the manager knows a jump host by, whoever logs in there. */
export const machineOf = ({ address, port }: Pick<JumpHost, 'address' | 'port'>) =>
  `${address.toLowerCase()} ${port ?? SSH_PORT}`;

/** The jump hosts that are typed so far, each machine once. */
export function jumpsOf(text: string): JumpHost[] {
  const found = new Map<string, JumpHost>();
  for (const jump of parts(text).flatMap((part) => jumpOf(part) ?? [])) {
    if (!found.has(machineOf(jump))) found.set(machineOf(jump), jump);
  }
  return [...found.values()];
}

/** Another way to the hosts, on which machines that stay keep the limits that they had. */
export function keepingLimits(jumps: readonly JumpHost[], before: readonly JumpHost[]): JumpHost[] {
  const limits = new Map(before.map((jump) => [machineOf(jump), jump.handshakes]));
  return jumps.map((jump) => ({
    ...jump,
    handshakes: jump.handshakes ?? limits.get(machineOf(jump)) ?? null,
  }));
}

/** What is wrong, by field; of limits by [`machineOf`]. */
export type WayErrors = Partial<Record<Exclude<keyof WayForm, 'limits'>, string>> & {
  limits?: Record<string, string>;
};

export function wayErrors(form: WayForm): WayErrors {
  const errors: WayErrors = {};
  const jumps = jumpsError(form.jumps);
  if (jumps !== undefined) errors.jumps = jumps;
  if (form.agent && form.agentKey !== '' && !form.agentKey.startsWith('SHA256:')) {
    errors.agentKey = 'A fingerprint as “ssh-add -l” prints it: SHA256:…';
  }
  if (!isLimit(form.handshakes)) errors.handshakes = LIMIT_ERROR;
  const limits = jumpsOf(form.jumps)
    .map(machineOf)
    .filter((machine) => !isLimit(form.limits[machine] ?? ''));
  if (limits.length > 0) errors.limits = Object.fromEntries(limits.map((machine) => [machine, LIMIT_ERROR]));
  return errors;
}

function jumpsError(text: string): string | undefined {
  const jumps = parts(text);
  const wrong = jumps.find((one) => jumpOf(one) === undefined);
  if (wrong !== undefined) return `“${wrong}” is no jump host: write [user@]host[:port].`;
  if (jumps.length > JUMPS_MAX) return `At most ${JUMPS_MAX} jump hosts.`;
  return jumpsOf(text).length < jumps.length ? 'No way leads through the same machine twice.' : undefined;
}

/** The settings, once there are no errors. */
export function accessOf(form: WayForm): SshAccess {
  return {
    agent: form.agent,
    agent_key: form.agent && form.agentKey !== '' ? form.agentKey : null,
    jumps: jumpsOf(form.jumps).map((jump) => ({
      ...jump,
      handshakes: limitOf(form.limits[machineOf(jump)] ?? ''),
    })),
    jump_handshakes: limitOf(form.handshakes),
  };
}

function isLimit(text: string): boolean {
  const limit = limitOf(text);
  return limit === null || (Number.isInteger(limit) && limit >= 1 && limit <= HANDSHAKES_MAX);
}

const limitOf = (text: string) => (text.trim() === '' ? null : Number(text));

const parts = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
