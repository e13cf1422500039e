import type { Column } from '../components/DataTable.svelte';

/** Columns of the tasks table. */
export const TASK_COLUMNS: Column[] = [
  { key: 'id', label: 'Task' },
  { key: 'pool', label: 'Pool' },
  { key: 'state', label: 'State' },
  { key: 'progress', label: 'Hosts done' },
  { key: 'by', label: 'By' },
  { key: 'started', label: 'Asked for' },
  { key: 'duration', label: 'Duration', numeric: true },
  { key: 'message', label: 'Says', fill: true },
];
