import type { SnapshotDiff } from '../api/types';
import { middle } from '../format/words';

/** What can change about a node between two crawls. */
export const KINDS = ['joined', 'left', 'moved', 'upgraded', 'restarted', 'neighbours'] as const;
export type DiffKind = (typeof KINDS)[number];

export const KIND_TEXTS: Record<DiffKind, { name: string; means: string }> = {
  joined: { name: 'Joined', means: 'answer in the second crawl and not in the first' },
  left: { name: 'Left', means: 'answer in the first crawl and not in the second' },
  moved: { name: 'Moved', means: 'are at another IP address, host or place' },
  upgraded: { name: 'Upgraded', means: 'have another version, package or namespace' },
  restarted: { name: 'Restarted', means: 'started anew in between' },
  neighbours: { name: 'Other neighbours', means: 'gained or lost neighbours' },
};

/** A line of a list of changes. */
export interface DiffRow {
  key: string;
  address: string;
  host: string | null;
  what: string;
}

const SHOWN_NEIGHBOURS = 6;

/** The lines of one kind, as many as the manager told, and how many there are. */
export function diffRows(diff: SnapshotDiff, kind: DiffKind): { total: number; rows: DiffRow[] } {
  const { total } = diff[kind];
  if (kind === 'neighbours') {
    const rows = diff.neighbours.items.map(({ address, host_name, gained, lost }) => {
      const what = [said('gained', gained), said('lost', lost)].filter((text) => text !== '').join('; ');
      return { key: address, address, host: host_name, what };
    });
    return { total, rows };
  }
  if (kind === 'moved' || kind === 'upgraded') {
    const rows = diff[kind].items.map(({ address, host_name, field, from, to }) => {
      const what = `${field.replaceAll('_', ' ')}: ${from ?? 'unknown'} → ${to ?? 'unknown'}`;
      return { key: `${address} ${field}`, address, host: host_name, what };
    });
    return { total, rows };
  }
  const rows = diff[kind].items.map(({ address, host_name, elsewhere }) => {
    return { key: address, address, host: host_name, what: whereElse(kind, elsewhere) };
  });
  return { total, rows };
}

function whereElse(kind: DiffKind, elsewhere: string | null): string {
  if (kind === 'restarted') return 'its uptime is shorter than the time between the crawls';
  const crawl = kind === 'joined' ? 'before' : 'now';
  return elsewhere === null ? `not seen ${crawl}` : `${elsewhere.replaceAll('_', ' ')} ${crawl}`;
}

function said(verb: string, others: readonly string[]): string {
  if (others.length === 0) return '';
  const names = others.slice(0, SHOWN_NEIGHBOURS).map((other) => middle(other, 13));
  const more = others.length > SHOWN_NEIGHBOURS ? ` and ${others.length - SHOWN_NEIGHBOURS} more` : '';
  return `${verb} ${names.join(', ')}${more}`;
}
