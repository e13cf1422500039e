import type { NewToken, Role } from '../api/types';
import { ROLES } from '../state/may';

/** Ends that can be chosen, in days; none: when it is deleted. */
export const TOKEN_ENDS: { days: number | undefined; label: string }[] = [
  { days: 1, label: 'after a day' },
  { days: 7, label: 'after a week' },
  { days: 30, label: 'after 30 days' },
  { days: 90, label: 'after 90 days' },
  { days: 365, label: 'after a year' },
  { days: undefined, label: 'when it is deleted' },
];

/** A token as a person chooses it. */
export interface TokenForm {
  name: string;
  role: Role;
  /** Days after which it ends, as text; empty: never by itself. */
  ends: string;
  /** It reaches only the chosen pools. */
  only: boolean;
  pools: string[];
}

export const emptyToken = (role: Role): TokenForm => ({
  name: '',
  role,
  ends: '90',
  only: false,
  pools: [],
});

/** Nobody can give away more than they have. */
export const rolesUpTo = (own: Role): Role[] => ROLES.slice(0, ROLES.indexOf(own) + 1);

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the manager is told. */
export function newToken(form: TokenForm, now: number): NewToken {
  return {
    name: form.name.trim(),
    role: form.role,
    pools: form.only ? form.pools : null,
    expires: form.ends === '' ? null : new Date(now + Number(form.ends) * DAY_MS).toISOString(),
  };
}

/** The pools that a token reaches, by name; one that is gone, or that the person may not see, by its number. */
export function reachOf(ids: readonly number[], pools: readonly { id: number; name: string }[]): string[] {
  return ids.map((id) => pools.find((pool) => pool.id === id)?.name ?? `#${id}`);
}
