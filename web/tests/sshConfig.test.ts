import { describe, expect, it } from 'vitest';

import type { ConfiguredHost, HostSpec } from '../src/api/types';
import { foundIn, jumpsText, waysOf } from '../src/hosts/sshConfig';
import { appended } from '../src/pools/hostText';

const spec = (address: string, port: number | null = null): HostSpec => ({
  address,
  port,
  user: null,
  location: null,
  labels: {},
});
const gate = { address: 'gate', port: 2200, user: 'ops', handshakes: null };
const configured = (name: string, host: HostSpec, jumps = [gate]): ConfiguredHost => ({
  name,
  host,
  jumps,
  identity_file: null,
});

describe('hosts of an SSH configuration', () => {
  it('are new unless the list, or a line above, has the same machine and port', () => {
    const hosts = [
      configured('a', spec('Planet1')),
      configured('b', spec('planet2', 22)),
      configured('c', spec('planet2')),
      configured('d', spec('planet2', 2222)),
    ];
    expect(foundIn(hosts, [spec('planet1', 22)]).map(({ there }) => there)).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  it('tell the ways to them that differ', () => {
    const hosts = [configured('a', spec('a')), configured('b', spec('b')), configured('c', spec('c'), [])];
    expect(waysOf(hosts)).toEqual(['ops@gate:2200', '']);
    expect(jumpsText([gate, { address: '::1', port: 22, user: null, handshakes: null }])).toBe(
      'ops@gate:2200, [::1]:22',
    );
  });

  it('come after the lines that are there', () => {
    expect(['', 'a', 'a\n'].map((text) => appended(text, 'b\n'))).toEqual(['b\n', 'a\nb\n', 'a\nb\n']);
  });
});
