import type { JumpHost, SshAccess } from '../api/types';

/** How hosts are reached beside the pool's key, as a person types it. */
export interface WayForm {
  agent: boolean;
  agentKey: string;
  /** As OpenSSH's ProxyJump: `[user@]host[:port],…`, the nearest first. */
  jumps: string;
  handshakes: string;
}

/** What the manager takes at most. */
const JUMPS_MAX = 4;
const HANDSHAKES_MAX = 256;

export function wayOf(access: SshAccess): WayForm {
  return {
    agent: access.agent,
    agentKey: access.agent_key ?? '',
    jumps: access.jumps.map(jumpText).join(', '),
    handshakes: access.jump_handshakes?.toString() ?? '',
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

export type WayErrors = Partial<Record<keyof WayForm, string>>;

export function wayErrors(form: WayForm): WayErrors {
  const errors: WayErrors = {};
  const jumps = parts(form.jumps);
  const wrong = jumps.find((text) => jumpOf(text) === undefined);
  if (wrong !== undefined) errors.jumps = `“${wrong}” is no jump host: write [user@]host[:port].`;
  else if (jumps.length > JUMPS_MAX) errors.jumps = `At most ${JUMPS_MAX} jump hosts.`;
  if (form.agent && form.agentKey !== '' && !form.agentKey.startsWith('SHA256:')) {
    errors.agentKey = 'A fingerprint as “ssh-add -l” prints it: SHA256:…';
  }
  const handshakes = Number(form.handshakes);
  if (
    form.handshakes !== '' &&
    !(Number.isInteger(handshakes) && handshakes >= 1 && handshakes <= HANDSHAKES_MAX)
  ) {
    errors.handshakes = `1 to ${HANDSHAKES_MAX}.`;
  }
  return errors;
}

/** The settings, once there are no errors. A machine that was there before keeps a limit of its own. */
export function accessOf(form: WayForm, before: readonly JumpHost[] = []): SshAccess {
  const limitOf = (jump: JumpHost) => before.find((one) => sameMachine(one, jump))?.handshakes ?? null;
  return {
    agent: form.agent,
    agent_key: form.agent && form.agentKey !== '' ? form.agentKey : null,
    jumps: parts(form.jumps)
      .flatMap((text) => jumpOf(text) ?? [])
      .map((jump) => ({ ...jump, handshakes: limitOf(jump) })),
    jump_handshakes: form.handshakes === '' ? null : Number(form.handshakes),
  };
}

const sameMachine = (a: JumpHost, b: JumpHost) =>
  a.address.toLowerCase() === b.address.toLowerCase() && (a.port ?? 22) === (b.port ?? 22);

const parts = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
