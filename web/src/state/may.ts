import type { Person, PoolSummary, Role } from '../api/types';

/** Roles, least first: each may what those before it may. */
export const ROLES: Role[] = ['viewer', 'publisher', 'administrator', 'super_administrator'];

/** The person has at least this role. The manager decides again; the page only says it sooner. */
export function hasRole(person: Person | undefined, needs: Role): boolean {
  return person !== undefined && ROLES.indexOf(person.role) >= ROLES.indexOf(needs);
}

/** Why the person can't do what needs this role; nothing when they can. */
export function whyNotRole(person: Person | undefined, needs: Role): string | undefined {
  if (hasRole(person, needs)) return undefined;
  const role = needs.replaceAll('_', ' ');
  return person ? `Needs the role ${role}; you are ${withArticle(person.role)}.` : `Log in as ${role}.`;
}

/** Why the person can't change this pool; nothing when they can. */
export function whyNotPool(
  person: Person | undefined,
  pool: Pick<PoolSummary, 'may_change'> | undefined,
): string | undefined {
  if (!pool) return 'The pool is still being read.';
  if (pool.may_change) return undefined;
  if (!person) return 'Log in to change this pool.';
  return `You may look at this pool. Changing it needs its owner or an administrator; you are ${withArticle(person.role)}.`;
}

function withArticle(role: Role): string {
  return `${/^[aeiou]/.test(role) ? 'an' : 'a'} ${role.replaceAll('_', ' ')}`;
}
