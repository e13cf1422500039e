import { describe, expect, it } from 'vitest';

import { memoryPage, memoryRows, type MemoryList } from '../src/state/memoryList';

interface Row {
  name: string;
  rtt: number | null;
}

const LIST: MemoryList<Row> = {
  texts: (row) => [row.name, null],
  sorts: { name: (row) => row.name, rtt: (row) => row.rtt },
};
const ROWS: Row[] = [
  { name: 'host10', rtt: 3 },
  { name: 'host2', rtt: null },
  { name: 'Planet', rtt: 20 },
];
const names = (asked: { sort?: string; order?: 'asc' | 'desc'; limit?: number; offset?: number }) =>
  memoryPage(ROWS, LIST, { sort: '', order: 'asc', limit: 50, offset: 0, ...asked }).items.map(
    (row) => row.name,
  );

describe('a list in memory', () => {
  it('finds text whatever its case, and everything without a filter', () => {
    expect(memoryRows(ROWS, LIST, ' PLAN ').map((row) => row.name)).toEqual(['Planet']);
    expect(memoryRows(ROWS, LIST, '')).toEqual(ROWS);
    expect(memoryRows(ROWS, LIST, 'nothing')).toEqual([]);
  });

  it('sorts numbers in names as numbers, and puts what is unknown last in either order', () => {
    expect(names({ sort: 'name' })).toEqual(['host2', 'host10', 'Planet']);
    expect(names({ sort: 'rtt' })).toEqual(['host10', 'Planet', 'host2']);
    expect(names({ sort: 'rtt', order: 'desc' })).toEqual(['Planet', 'host10', 'host2']);
  });

  it('keeps the order that it got when nothing is known to sort by', () => {
    expect(names({ sort: 'other' })).toEqual(['host10', 'host2', 'Planet']);
  });

  it('gives one page and says how many there are', () => {
    expect(names({ offset: 2, limit: 2 })).toEqual(['Planet']);
    expect(memoryPage(ROWS, LIST, { sort: '', order: 'asc', limit: 1, offset: 0 }).total).toBe(3);
  });
});
