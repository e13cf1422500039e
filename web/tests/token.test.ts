import { describe, expect, it } from 'vitest';

import { emptyToken, newToken, reachOf, rolesUpTo } from '../src/settings/token';

describe('a token', () => {
  it('has a role up to that of its person, pools and an end', () => {
    expect(rolesUpTo('publisher')).toEqual(['viewer', 'publisher']);
    const form = { ...emptyToken('publisher'), name: ' ci ', ends: '7', pools: ['lab'] };
    expect(newToken(form, 0)).toEqual({
      name: 'ci',
      role: 'publisher',
      pools: null,
      expires: '1970-01-08T00:00:00.000Z',
    });
    expect(newToken({ ...form, ends: '', only: true }, 0)).toMatchObject({ pools: ['lab'], expires: null });
  });

  it('names the pools that it reaches, and numbers those that are gone', () => {
    expect(reachOf([2, 9], [{ id: 2, name: 'lab' }])).toEqual(['lab', '#9']);
  });
});
