import type { NodesQuery } from '../api/calls';
import type { NodeStatus } from '../api/types';
import { id, idOf, integer, oneOf, someOf, text, type Values } from '../state/view';
import { NODE_COLUMN_KEYS, NODE_COLUMNS_DEFAULT } from './columns';

export const NODE_STATUSES: NodeStatus[] = [
  'answering',
  'dial_failed',
  'connect_failed',
  'ask_failed',
  'not_dialled',
];

/** Rows of one page: the table never holds more. */
export const PAGE_ROWS = 50;
const PAGE_MAX = 1_000_000;

/** What the address of the nodes table holds. */
export const NODES_VIEW = {
  q: text(),
  status: oneOf(['', ...NODE_STATUSES], ''),
  crawl: id(),
  sort: text('host_name'),
  order: oneOf(['asc', 'desc'], 'asc'),
  page: integer(1, 1, PAGE_MAX),
  columns: someOf(NODE_COLUMN_KEYS, NODE_COLUMNS_DEFAULT),
  node: text(),
};

export type NodesView = Values<typeof NODES_VIEW>;

/** The filter and order, as the API wants them; page and CSV use the same. */
export function filterQuery(view: NodesView): NodesQuery {
  return { q: view.q, status: view.status, crawl: idOf(view.crawl), sort: view.sort, order: view.order };
}

/** The query of one page of the table. */
export function pageQuery(view: NodesView): NodesQuery {
  return { ...filterQuery(view), limit: PAGE_ROWS, offset: (view.page - 1) * PAGE_ROWS };
}
