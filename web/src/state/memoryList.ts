import type { Page } from '../api/types';

/** How a list that is wholly in memory is filtered and sorted. */
export interface MemoryList<Row> {
  /** Texts of a row that the filter looks into. */
  texts: (row: Row) => readonly (string | null | undefined)[];
  /** By what a row is sorted, for each word to sort by. */
  sorts?: Record<string, (row: Row) => string | number | null>;
}

interface Asked {
  sort: string;
  order: 'asc' | 'desc';
  limit: number;
  offset: number;
}

/** The rows that a text filter leaves. */
export function memoryRows<Row>(rows: readonly Row[], list: MemoryList<Row>, filter: string): readonly Row[] {
  const q = filter.trim().toLowerCase();
  if (q === '') return rows;
  return rows.filter((row) => list.texts(row).some((text) => text?.toLowerCase().includes(q)));
}

/** One page of rows, sorted; unknown values come last in either order. */
export function memoryPage<Row>(rows: readonly Row[], list: MemoryList<Row>, asked: Asked): Page<Row> {
  const by = list.sorts?.[asked.sort];
  const sorted = by ? sortedBy(rows, by, asked.order === 'asc' ? 1 : -1) : rows;
  return { total: rows.length, items: sorted.slice(asked.offset, asked.offset + asked.limit) };
}

type Value = string | number | null;

const texts = new Intl.Collator('en', { numeric: true });

function sortedBy<Row>(rows: readonly Row[], by: (row: Row) => Value, sign: 1 | -1): readonly Row[] {
  return rows
    .map((row) => ({ row, value: by(row) }))
    .sort((a, b) => compare(a.value, b.value, sign))
    .map(({ row }) => row);
}

function compare(a: Value, b: Value, sign: 1 | -1): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (typeof a === 'number' && typeof b === 'number') return sign * (a - b);
  return sign * texts.compare(String(a), String(b));
}
