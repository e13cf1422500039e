import { describe, expect, it } from 'vitest';

import { bytes } from '../src/format/bytes';
import { duration } from '../src/format/duration';
import { count, decimal, percent, plural } from '../src/format/number';
import { absolute, clockTime, relative } from '../src/format/time';
import { middle, words } from '../src/format/words';

const NOON = Date.UTC(2026, 10, 23, 12, 0, 0);

describe('durations', () => {
  it.each([
    [0, '0 ms'],
    [840, '840 ms'],
    [1000, '1 s'],
    [12_340, '12.3 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min'],
    [245_000, '4 min 5 s'],
    [3_599_600, '60 min'],
    [11_520_000, '3 h 12 min'],
    [100_800_000, '1 d 4 h'],
  ])('%i ms are %s', (ms, text) => expect(duration(ms)).toBe(text));

  it('of what is no duration is a dash', () => {
    expect(duration(NaN)).toBe('–');
    expect(duration(-1)).toBe('–');
  });
});

describe('times', () => {
  it.each([
    [0, 'just now'],
    [4_999, 'just now'],
    [12_900, '12 s ago'],
    [61_000, '1 min ago'],
    [3_599_999, '59 min ago'],
    [7_200_000, '2 h ago'],
    [86_400_000 * 3, '3 d ago'],
    [-90_000, 'in 1 min'],
  ])('%i ms back is %s', (ms, text) => expect(relative(NOON - ms, NOON)).toBe(text));

  it('in full carry their zone', () => {
    expect(absolute(NOON, 'utc')).toBe('2026-11-23 12:00:00 UTC');
    expect(absolute(NOON, 'local')).toMatch(/^2026-11-2\d \d\d:\d\d:\d\d UTC[+-]\d\d:\d\d$/);
    expect(clockTime(NOON, 'utc')).toBe('12:00');
    expect(absolute(NaN, 'utc')).toBe('unknown');
  });
});

describe('numbers', () => {
  it('that nobody knows are a dash, never zero', () => {
    expect([count(null), decimal(null, 1), percent(null), bytes(null)]).toEqual(['–', '–', '–', '–']);
  });

  it.each([
    [1, '100 %'],
    [0.9999, '99.9 %'],
    [0.98, '98 %'],
    [0.9876, '98.8 %'],
    [0, '0 %'],
    [0.0001, '0.1 %'],
  ])('the share %d is %s', (share, text) => expect(percent(share)).toBe(text));

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1023, '0.999 KiB'],
    [1536, '1.50 KiB'],
    [11_534_336, '11.0 MiB'],
    [1023 * 1024 * 1024, '0.999 GiB'],
  ])('%i bytes are %s', (value, text) => expect(bytes(value)).toBe(text));

  it('agree with their noun', () => {
    expect([plural(0, 'host'), plural(1, 'host'), plural(1200, 'host')]).toEqual([
      '0 hosts',
      '1 host',
      '1,200 hosts',
    ]);
  });
});

describe('words', () => {
  it('are made of names', () => expect(words('host_key_changed')).toBe('Host key changed'));

  it('are cut in their middle', () => {
    expect(middle('abcdefghij', 10)).toBe('abcdefghij');
    expect(middle('abcdefghijk', 10)).toBe('abcde…hijk');
    expect(middle('abcdefghijk', 10)).toHaveLength(10);
  });
});
