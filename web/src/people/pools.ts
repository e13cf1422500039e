import type { User } from '../api/people';

/** Pools that a cell of the table has room for. */
const SHOWN = 2;

const RIGHT_TEXTS: Readonly<Record<User['pools'][number]['right'], string>> = {
  own: 'owner',
  manage: 'manages',
  inspect: 'sees',
  see: 'sees',
};

/** "planet (owner), lab (sees), and 3 more": what fits a cell, and all of it. */
export function poolsInWords(pools: User['pools']): { first: string; all: string } {
  const texts = pools.map((one) => `${one.pool} (${RIGHT_TEXTS[one.right]})`);
  const more = texts.length - SHOWN;
  const first = texts.slice(0, SHOWN).join(', ');
  return { first: more > 0 ? `${first}, and ${more} more` : first, all: texts.join(', ') };
}
