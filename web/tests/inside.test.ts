import { expect, it } from 'vitest';

import { inside } from '../src/state/inside';

it.each([
  '',
  'pools',
  'pools/x/nodes?q=a%20b&from=2026-11-23T10:00:00Z&to=2026-11-24T10:00:00Z',
  'tasks/7#log',
  '?q=//evil.example',
])('a login leads back to %s', (next) => expect(inside(next)).toBe(next));

it.each([
  '//evil.example',
  '/pools',
  'https://evil.example',
  'https:evil.example',
  'javascript:alert(1)',
  'data:text/html,x',
  '\\\\evil.example',
  '/\\evil.example',
  '/\t/evil.example',
  '\n//evil.example',
  '../evil',
  'pools/../../evil',
  './/evil.example',
  'a/..//evil.example',
  'http://manager.invalid@evil.example/base/',
  'http://a:b@manager.invalid/base/pools',
  'api/v1/oidc/login',
  'a'.repeat(2001),
])('a login does not lead to %j', (next) => expect(inside(next)).toBe(''));
