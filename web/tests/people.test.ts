import { describe, expect, it } from 'vitest';

import { browserOf } from '../src/account/browser';
import { auditQuery, detailsOf } from '../src/audit/view';
import type { Permission } from '../src/api/people';
import { COLUMNS, grouped, may } from '../src/people/roles';

describe('the roles matrix', () => {
  it('gives a role what those before it have', () => {
    expect(COLUMNS.map((who) => may(who, { role: 'publisher' }))).toEqual(['no', 'no', 'yes', 'yes', 'yes']);
    expect(COLUMNS.map((who) => may(who, 'account'))).toEqual(['no', 'yes', 'yes', 'yes', 'yes']);
    expect(COLUMNS.map((who) => may(who, 'anyone'))).toEqual(['yes', 'yes', 'yes', 'yes', 'yes']);
  });

  it('says on which pools somebody may what needs a right on the pool', () => {
    expect(COLUMNS.map((who) => may(who, { pool: 'see' }))).toEqual([
      'public pools',
      'public, own, given',
      'public, own, given',
      'yes',
      'yes',
    ]);
    expect(COLUMNS.map((who) => may(who, { task: 'manage' }))).toEqual([
      'no',
      'no',
      'own, given to manage',
      'yes',
      'yes',
    ]);
    expect(may('publisher', { thing: 'own' })).toBe('own pools');
  });

  it('puts routes together by what they are about', () => {
    const paths = [
      '/pools',
      '/pools/{pool}',
      '/pools/{pool}/shares/{id}',
      '/audit',
      '/audit.csv',
      '/pools/{pool}/hosts',
    ];
    const routes = paths.map(
      (path) => ({ method: 'GET', path, needs: 'anyone', allowed: true }) as Permission,
    );
    expect(grouped(routes).map(({ noun, routes }) => `${noun} ${routes.length}`)).toEqual([
      'pools 2',
      'shares 1',
      'audit 2',
      'hosts 1',
    ]);
  });
});

describe('the audit log', () => {
  it('asks for whole days, the last one included, and leaves out what is not filtered', () => {
    const view = {
      q: '',
      who: ' ada ',
      action: '',
      pool: '',
      result: '' as const,
      from: '2026-01-31',
      to: '2026-01-31',
    };
    expect(auditQuery(view)).toEqual({
      who: 'ada',
      from: new Date(2026, 0, 31).toISOString(),
      to: new Date(2026, 1, 1).toISOString(),
    });
  });

  it('tells details in one line', () => {
    expect(detailsOf({ role: 'viewer', views: ['map'] })).toBe('role: viewer, views: ["map"]');
    expect(detailsOf(null)).toBe('');
  });
});

it('a browser is called as people call it', () => {
  expect(browserOf('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36')).toBe(
    'Chrome on Linux',
  );
  expect(browserOf('Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0')).toBe(
    'Edge on Windows',
  );
  expect(browserOf('curl/8.5.0')).toBe('curl/8.5.0');
  expect(browserOf('')).toBe('unknown');
});
