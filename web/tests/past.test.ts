import { describe, expect, it } from 'vitest';

import type { NodeSession, SnapshotDiff, Stats } from '../src/api/types';
import { diffRows } from '../src/diff/rows';
import { fromInput, toInput } from '../src/format/time';
import { boundsText, lengthOf, strokesOf } from '../src/nodes/sessions';
import { ownRange, spanOf, widened } from '../src/state/range';
import { isWithin, placeIn, travelQuery, whenOf } from '../src/state/travel';
import { CHARTS, linesOf } from '../src/stats/series';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const at = (minute: number) => new Date(NOW + minute * 60_000).toISOString();

describe('ranges', () => {
  it('begin so many days ago and have no end', () => {
    expect(spanOf({ range: '7d', from: '', to: '' }, NOW)).toEqual({ from: '2026-11-16T12:00:00.000Z' });
    expect(spanOf({ range: 'last', from: at(0), to: at(1) }, NOW)).toEqual({});
  });

  it('of one’s own are taken as they are, but not what makes no sense', () => {
    expect(spanOf({ range: 'own', from: at(0), to: at(5) }, NOW)).toEqual({ from: at(0), to: at(5) });
    expect(spanOf({ range: 'own', from: at(5), to: at(0) }, NOW)).toEqual({ from: at(5) });
    expect(spanOf({ range: 'own', from: 'yesterday', to: '7' }, NOW)).toEqual({});
  });

  it('that were brushed from right to left are turned, and are never empty', () => {
    expect(ownRange(NOW + 1000, NOW)).toEqual(ownRange(NOW, NOW + 1000));
    const { from, to } = ownRange(NOW, NOW);
    expect(Date.parse(to)).toBeGreaterThan(Date.parse(from));
  });

  it('grow around their middle, not into the future', () => {
    const hour = 3_600_000;
    const wide = widened(NOW - 3 * hour, NOW - hour, NOW);
    expect([Date.parse(wide.from), Date.parse(wide.to)]).toEqual([NOW - 4 * hour, NOW]);
  });

  it('are typed in the zone that is shown', () => {
    expect(toInput(NOW, 'utc')).toBe('2026-11-23T12:00:00');
    expect(fromInput('2026-11-23T12:00:00', 'utc')).toBe(NOW);
    expect(fromInput(toInput(NOW, 'local'), 'local')).toBe(NOW);
    expect(fromInput('', 'utc')).toBeUndefined();
  });
});

describe('time travel', () => {
  const crawls = [1, 2, 3].map((id) => ({ id, started: at(id * 10) }));

  it('goes to a crawl by its number before a time', () => {
    expect(whenOf({ crawl: '7', at: at(0) })).toEqual({ crawl: 7 });
    expect(whenOf({ crawl: '', at: at(0) })).toEqual({ at: at(0) });
  });

  it('stays in the present when the time makes no sense', () => {
    expect(whenOf({ crawl: '', at: '12.5,40.1,3' })).toEqual({});
    expect(whenOf({ crawl: '', at: '' })).toEqual({});
  });

  it('keeps what else the address says, but begins tables anew', () => {
    const query = new URLSearchParams('q=lyon&page=4&crawl=2');
    expect(travelQuery(query, { crawl: 3 })).toBe('q=lyon&crawl=3');
    expect(travelQuery(query, {})).toBe('q=lyon');
  });

  it('finds the crawl that began nearest to a time', () => {
    expect(placeIn(crawls, { at: at(14) })).toBe(0);
    expect(placeIn(crawls, { at: at(16) })).toBe(1);
    expect(placeIn(crawls, { crawl: 3 })).toBe(2);
    expect(placeIn(crawls, { crawl: 9 })).toBeUndefined();
    expect(placeIn(crawls, {})).toBe(2);
    expect(placeIn([], {})).toBeUndefined();
  });

  it('notices when it goes to before what is listed', () => {
    expect(isWithin(crawls, { crawl: 3 })).toBe(true);
    expect(isWithin(crawls, { crawl: 9 })).toBe(false);
    expect(isWithin(crawls, { at: at(10) })).toBe(true);
    expect(isWithin(crawls, { at: at(9) })).toBe(false);
    expect(isWithin(crawls, {})).toBe(true);
  });
});

describe('a session', () => {
  const session = (
    before: number | null,
    began: number,
    ended: number,
    after: number | null,
  ): NodeSession => ({
    address: 'n',
    before: before === null ? null : at(before),
    began: at(began),
    ended: at(ended),
    after: after === null ? null : at(after),
  });

  it('is at least as long as it was seen and at most until it was not', () => {
    expect(lengthOf(session(0, 10, 30, 40))).toEqual({ least: 20 * 60_000, most: 40 * 60_000 });
    expect(lengthOf(session(null, 10, 30, 40)).most).toBeNull();
    expect(lengthOf(session(0, 10, 30, null)).most).toBeNull();
  });

  it('lies on a line with what is not known of it, cut at its ends', () => {
    expect(strokesOf([session(-10, 0, 50, 60), session(80, 90, 100, null)], at(0), at(100))).toEqual([
      { before: 0, began: 0, ended: 0.5, after: 0.6, open: false },
      { before: 0.8, began: 0.9, ended: 1, after: 1, open: true },
    ]);
  });

  it('tells bounds only where there are some', () => {
    expect(boundsText({ least: 0.95, most: 0.95 })).toBe('95 %');
    expect(boundsText({ least: 0.9, most: 0.95 })).toBe('90 % to 95 %');
  });
});

describe('statistics', () => {
  const spread = { min: [0.5, null], mean: [0.75, null], max: [1, null] };
  const stats = (bucket_ms: number): Stats =>
    ({ bucket_ms, series: { consistency: spread } }) as unknown as Stats;
  const consistency = CHARTS.find((chart) => chart.title === 'Consistency')!;

  it('are scaled, and keep what is not known unknown', () => {
    expect(linesOf(stats(0), consistency)[0]).toMatchObject({ values: [75, null] });
  });

  it('have bands only where a point is more than one crawl', () => {
    expect(linesOf(stats(0), consistency)[0]).not.toHaveProperty('min');
    expect(linesOf(stats(60_000), consistency)[0]).toMatchObject({ min: [50, null], max: [100, null] });
  });
});

describe('changes between two crawls', () => {
  const none = { total: 0, items: [] };
  const diff = {
    joined: { total: 2000, items: [{ address: 'a', host_name: 'h', elsewhere: 'dial_failed' }] },
    left: { total: 1, items: [{ address: 'b', host_name: null, elsewhere: null }] },
    moved: none,
    upgraded: { total: 1, items: [{ address: 'a', host_name: 'h', field: 'version', from: null, to: '2' }] },
    restarted: none,
    neighbours: {
      total: 1,
      items: [{ address: 'a', host_name: 'h', gained: ['x'], lost: ['1', '2', '3', '4', '5', '6', '7'] }],
    },
  } as unknown as SnapshotDiff;

  it.each([
    ['joined', 'dial failed before'],
    ['left', 'not seen now'],
    ['upgraded', 'version: unknown → 2'],
    ['neighbours', 'gained x; lost 1, 2, 3, 4, 5, 6 and 1 more'],
  ] as const)('say what %s means', (kind, what) => expect(diffRows(diff, kind).rows[0]?.what).toBe(what));

  it('tell how many there are when not all are told', () => {
    expect(diffRows(diff, 'joined')).toMatchObject({ total: 2000, rows: [{ address: 'a' }] });
  });
});
