import { describe, expect, it } from 'vitest';

import { batchCount, emptyRolling, rollingErrors, rollingOf } from '../src/dialogs/rolling';

const form = (changes: Partial<ReturnType<typeof emptyRolling>> = {}) => ({ ...emptyRolling(), ...changes });

describe('a rolling upgrade', () => {
  it('is right as it begins, and is sent as the manager takes it', () => {
    expect(rollingErrors(form())).toEqual({});
    expect(rollingOf(form({ canary: 'site=lyon, rack=3', nodes: '', withinMin: '2.5' }))).toEqual({
      batch: '10%',
      canary: { site: 'lyon', rack: '3' },
      gate: { hosts_ok_min: 0.95, consistency_min: 0.9, nodes_min: null, within_s: 150 },
      on_failed_gate: 'pause',
    });
    expect(rollingOf(form({ batch: '5', canary: '2', consistency: '' }))).toMatchObject({
      batch: 5,
      canary: 2,
      gate: { consistency_min: null },
    });
  });

  it.each([
    ['batch', '0'],
    ['batch', '0%'],
    ['batch', '101%'],
    ['batch', 'many'],
    ['canary', 'lyon'],
    ['canary', '=x'],
    ['hostsOk', ''],
    ['hostsOk', '101'],
    ['consistency', 'x'],
    ['nodes', '-1'],
    ['withinMin', '0'],
    ['withinMin', '1441'],
  ] as const)('%s %s is named', (field, text) =>
    expect(Object.keys(rollingErrors(form({ [field]: text })))).toEqual([field]),
  );

  it('says how many batches there will be', () => {
    expect(batchCount(form(), 100)).toBe(10);
    expect(batchCount(form({ batch: '30%' }), 10)).toBe(4);
    expect(batchCount(form({ batch: '5', canary: '2' }), 12)).toBe(3);
    expect(batchCount(form({ canary: 'site=x' }), 12)).toBeUndefined();
    expect(batchCount(form({ batch: '500' }), 12)).toBe(1);
  });
});
