import type { Column, Order } from '../components/DataTable.svelte';
import { integer, oneOf, someOf, text, type Field, type Fields, type Values } from './view';

/** Rows of one page: with its headings a table never holds 60 rows. */
export const PAGE_ROWS = 50;
const PAGE_MAX = 1_000_000;

/** What the address of every list holds, beside the list's own filters. */
type Core = {
  q: Field<string>;
  sort: Field<string>;
  order: Field<Order>;
  page: Field<number>;
  columns: Field<string[]>;
};

/** How a list is when nobody said otherwise. */
export interface ListSpec<F extends Fields> {
  /** Name under which a person's choice of columns is kept. */
  name: string;
  /** Every column; the first is always shown. */
  columns: readonly Column[];
  /** Keys of the columns that are shown to a person who never chose; without it, all. */
  shown?: readonly string[];
  sort?: string;
  order?: Order;
  /** The list's own filters, and what is open beside it. */
  fields: F;
}

/** The fields of a list's address. Pure: the tests use it, too. */
export function listFields<F extends Fields>(spec: ListSpec<F>): Core & F {
  const keys = spec.columns.map((column) => column.key);
  return {
    q: text(),
    sort: text(spec.sort ?? ''),
    order: oneOf<Order>(['asc', 'desc'], spec.order ?? 'asc'),
    page: integer(1, 1, PAGE_MAX),
    columns: someOf(keys, [...(spec.shown ?? keys)]),
    ...spec.fields,
  };
}

/** The values of a list's address. */
export type ListView<F extends Fields> = Values<Core> & Values<F>;

/** The filters that are set, as the manager wants them. */
export function given<F extends Record<string, string>>(filters: F): Partial<F> {
  const set = Object.entries(filters).map(([key, value]) => [key, value.trim()] as const);
  return Object.fromEntries(set.filter(([, value]) => value !== '')) as Partial<F>;
}
