import { expect, test } from 'vitest';
import { accessOf, jumpOf, jumpText, wayErrors, wayOf } from '../src/pools/way';

test('jump hosts are read and written as ssh does', () => {
  for (const text of ['gate', 'ops@gate.example:2200', '[fe80::1]:22', '2001:db8::7']) {
    expect(jumpText(jumpOf(text)!)).toBe(text);
  }
  expect(jumpOf('ops@[fe80::1]:22')).toEqual({ user: 'ops', address: 'fe80::1', port: 22, handshakes: null });
  for (const text of ['', 'a b', 'a:0', 'a:99999', 'a:x', '[a', 'u ser@x']) {
    expect(jumpOf(text), text).toBeUndefined();
  }
});

test('what a person typed becomes the settings and back', () => {
  const form = { agent: true, agentKey: 'SHA256:abc', jumps: 'ops@gate:2200, inner', handshakes: '4' };
  expect(wayErrors(form)).toEqual({});
  const access = accessOf(form);
  expect(access).toEqual({
    agent: true,
    agent_key: 'SHA256:abc',
    jumps: [
      { address: 'gate', port: 2200, user: 'ops', handshakes: null },
      { address: 'inner', port: null, user: null, handshakes: null },
    ],
    jump_handshakes: 4,
  });
  expect(wayOf(access)).toEqual(form);
  const nothing = { agent: false, agent_key: null, jumps: [], jump_handshakes: null };
  expect(accessOf(wayOf(nothing))).toEqual(nothing);
});

test('every wrong field is named', () => {
  const form = { agent: true, agentKey: 'MD5:00', jumps: 'a, b c', handshakes: '0' };
  expect(Object.keys(wayErrors(form)).sort()).toEqual(['agentKey', 'handshakes', 'jumps']);
  expect(wayErrors({ ...form, jumps: 'a,b,c,d,e' }).jumps).toContain('4');
});

test('a machine that stays keeps its limit', () => {
  const form = { agent: false, agentKey: '', jumps: 'new, ops@Gate:22', handshakes: '' };
  const before = [{ address: 'gate', port: null, user: null, handshakes: 3 }];
  expect(accessOf(form, before).jumps.map(({ handshakes }) => handshakes)).toEqual([null, 3]);
});
