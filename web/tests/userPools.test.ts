import { expect, test } from 'vitest';

import { poolsInWords } from '../src/people/pools';

test('the pools of a person fit a cell and are all told', () => {
  const of = (...names: string[]) =>
    names.map((pool, i) => ({ pool, right: i === 0 ? ('own' as const) : ('see' as const) }));
  expect(poolsInWords([])).toEqual({ first: '', all: '' });
  expect(poolsInWords(of('planet', 'lab')).first).toBe('planet (owner), lab (sees)');
  expect(poolsInWords(of('planet', 'lab', 'x', 'y'))).toEqual({
    first: 'planet (owner), lab (sees), and 2 more',
    all: 'planet (owner), lab (sees), x (sees), y (sees)',
  });
});
