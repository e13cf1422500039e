import type { Needs, Permission, Right } from '../api/people';
import type { Role } from '../api/types';
import { ROLES } from '../state/may';

/** What each role is for. */
export const ROLE_MEANS: Record<Role, string> = {
  viewer: 'Looks at public pools and at those that it was given.',
  publisher: 'Makes pools and manages its own and those that it was given.',
  administrator: 'Manages all pools and reads the audit log.',
  super_administrator: 'Manages people and settings, too.',
};

/** Who may use a route: everybody, nobody of that kind, or it depends on the pool. */
export type May = 'yes' | 'no' | string;

/** Somebody without an account, then the roles. */
export const COLUMNS: readonly ('nobody' | Role)[] = ['nobody', ...ROLES];

const RIGHTS: Right[] = ['see', 'inspect', 'manage', 'own'];

/** On which pools somebody has at least a right. */
function poolsOf(who: 'nobody' | Role, right: Right): May {
  const least = RIGHTS.indexOf(right);
  if (who === 'nobody') return least === 0 ? 'public pools' : 'no';
  if (who === 'administrator' || who === 'super_administrator') return 'yes';
  if (least <= 1) return 'public, own, given';
  if (who === 'viewer') return 'no';
  return right === 'manage' ? 'own, given to manage' : 'own pools';
}

/** May somebody of this kind use what needs this? The manager's table says what it needs. */
export function may(who: 'nobody' | Role, needs: Needs): May {
  if (needs === 'anyone' || needs === 'listed' || needs === 'share') return 'yes';
  if (needs === 'account') return who === 'nobody' ? 'no' : 'yes';
  if ('role' in needs) {
    return who !== 'nobody' && ROLES.indexOf(who) >= ROLES.indexOf(needs.role) ? 'yes' : 'no';
  }
  const right = 'pool' in needs ? needs.pool : 'task' in needs ? needs.task : needs.thing;
  return poolsOf(who, right);
}

/** What else is to be said of what a route needs. */
export function noteOf(needs: Needs): string {
  if (needs === 'listed') return 'tells only what one may see';
  if (needs === 'share') return 'with the secret of a share link';
  if (needs === 'account') return 'about what is one’s own';
  return '';
}

/** Groups of routes by the noun that they begin with, in the order of the table. */
export function grouped(routes: readonly Permission[]): { noun: string; routes: Permission[] }[] {
  const groups = new Map<string, Permission[]>();
  for (const route of routes) {
    const noun = nounOf(route.path);
    groups.set(noun, [...(groups.get(noun) ?? []), route]);
  }
  return [...groups].map(([noun, routes]) => ({ noun, routes }));
}

/** `/pools/{pool}/shares/{id}` is about shares, `/pools/{pool}` about pools. */
function nounOf(path: string): string {
  const [first = '', , third] = path.split('/').slice(1);
  const noun = first === 'pools' && third !== undefined ? third : first;
  return (noun.split('.')[0] ?? noun).replaceAll('_', ' ').replaceAll('-', ' ');
}
