import type { NodesQuery } from '../api/calls';
import type { NodeStatus } from '../api/types';
import { listFields, PAGE_ROWS } from '../state/listFields';
import { TRAVEL_FIELDS, whenOf } from '../state/travel';
import { narrowing, oneOf, text, type Values } from '../state/view';
import { NODE_COLUMNS, NODE_COLUMNS_DEFAULT } from './columns';

export const NODE_STATUSES: NodeStatus[] = [
  'answering',
  'dial_failed',
  'connect_failed',
  'ask_failed',
  'not_dialled',
];

/** The nodes table. */
export const NODES_LIST = {
  name: 'nodes',
  columns: NODE_COLUMNS,
  shown: NODE_COLUMNS_DEFAULT,
  sort: 'host_name',
  fields: {
    status: narrowing(oneOf(['', ...NODE_STATUSES], '')),
    namespace: narrowing(text()),
    ...TRAVEL_FIELDS,
    node: text(),
  },
};

/** What the address of the nodes table holds. */
export const NODES_VIEW = listFields(NODES_LIST);
export type NodesView = Values<typeof NODES_VIEW>;

/** The filter and order, as the API wants them; page and CSV use the same. */
export function filterQuery(view: NodesView): NodesQuery {
  const { q, status, namespace, sort, order } = view;
  return { q, status, namespace, ...whenOf(view), sort, order };
}

/** The query of one page of the table. */
export function pageQuery(view: NodesView): NodesQuery {
  return { ...filterQuery(view), limit: PAGE_ROWS, offset: (view.page - 1) * PAGE_ROWS };
}
