import type { Column } from '../components/DataTable.svelte';
import type { Snapshot } from '../api/types';
import { duration } from '../format/duration';
import { count, percent } from '../format/number';

/** What is told of a crawl, one line each. */
export const CRAWL_COLUMNS: Column[] = [
  { key: 'started', label: 'Crawl' },
  { key: 'answering', label: 'Answering', numeric: true },
  { key: 'nodes', label: 'Seen', title: 'Nodes seen, answering or not', numeric: true },
  { key: 'consistency', label: 'Consistency', numeric: true },
  { key: 'connections', label: 'Connections', numeric: true },
  { key: 'tcp', label: 'TCP', numeric: true },
  { key: 'udp', label: 'UDP', numeric: true },
  { key: 'relayed', label: 'Relayed', numeric: true },
  { key: 'secure', label: 'Secure', numeric: true },
  { key: 'retries', label: 'Retries', numeric: true },
  { key: 'missing', label: 'Missing', title: 'Hosts that should be there and were not seen', numeric: true },
  { key: 'joined', label: 'Joined', numeric: true },
  { key: 'left', label: 'Left', numeric: true },
  { key: 'duration', label: 'Took', numeric: true },
];

/** A number of a crawl as its cell shows it. */
export function crawlText(crawl: Partial<Snapshot>, key: string): string {
  if (key === 'consistency') return percent(crawl.consistency ?? null);
  if (key === 'duration') return duration(crawl.duration_ms ?? 0);
  return count(crawl[key as 'nodes'] ?? null);
}
