import { expect, test } from 'vitest';
import { accessOf, jumpOf, jumpText, keepingLimits, wayErrors, wayOf } from '../src/pools/way';

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
  const form = {
    agent: true,
    agentKey: 'SHA256:abc',
    jumps: 'ops@gate:2200, inner',
    handshakes: '4',
    limits: { 'gate 2200': '3', 'inner 22': '' },
  };
  expect(wayErrors(form)).toEqual({});
  const access = accessOf(form);
  expect(access).toEqual({
    agent: true,
    agent_key: 'SHA256:abc',
    jumps: [
      { address: 'gate', port: 2200, user: 'ops', handshakes: 3 },
      { address: 'inner', port: null, user: null, handshakes: null },
    ],
    jump_handshakes: 4,
  });
  expect(wayOf(access)).toEqual(form);
  const nothing = { agent: false, agent_key: null, jumps: [], jump_handshakes: null };
  expect(accessOf(wayOf(nothing))).toEqual(nothing);
});

test('every wrong field is named', () => {
  const form = { agent: true, agentKey: 'MD5:00', jumps: 'a, b c', handshakes: '0', limits: {} };
  expect(Object.keys(wayErrors(form)).sort()).toEqual(['agentKey', 'handshakes', 'jumps']);
  expect(wayErrors({ ...form, jumps: 'a,b,c,d,e' }).jumps).toContain('4');
});

test('a wrong limit is named at its jump host, and only while that is one', () => {
  const form = {
    agent: false,
    agentKey: '',
    jumps: 'Gate, inner:2200',
    handshakes: '',
    limits: { 'gate 22': '256', 'inner 2200': '257' },
  };
  expect(Object.keys(wayErrors(form).limits ?? {})).toEqual(['inner 2200']);
  for (const limit of ['0', '-1', '1.5', 'many']) {
    expect(wayErrors({ ...form, limits: { 'gate 22': limit } }).limits, limit).toHaveProperty(['gate 22']);
  }
  expect(wayErrors({ ...form, jumps: 'Gate' })).toEqual({});
});

test('no way leads through the same machine twice', () => {
  const form = { agent: false, agentKey: '', jumps: 'a@gate, b@GATE:22', handshakes: '', limits: {} };
  expect(wayErrors(form).jumps).toContain('twice');
  expect(wayErrors({ ...form, jumps: 'gate, gate:2200' })).toEqual({});
});

test('a machine that stays keeps its limit', () => {
  const gate = { address: 'gate', port: null, user: null, handshakes: 3 };
  const way = wayOf({ agent: false, agent_key: null, jumps: [gate], jump_handshakes: null });
  const limits = accessOf({ ...way, jumps: 'new, ops@Gate:22' }).jumps.map(({ handshakes }) => handshakes);
  expect(limits).toEqual([null, 3]);

  const jump = { address: 'new', port: null, user: null, handshakes: null };
  const other = [jump, { ...jump, address: 'GATE', port: 22, user: 'ops' }];
  expect(keepingLimits(other, [gate]).map(({ handshakes }) => handshakes)).toEqual([null, 3]);
  expect(keepingLimits([{ ...gate, handshakes: 5 }], [gate])).toEqual([{ ...gate, handshakes: 5 }]);
  expect(keepingLimits([{ ...gate, port: 2200, handshakes: null }], [gate])[0]?.handshakes).toBeNull();
});
