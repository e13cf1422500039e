import type { Snapshot } from '../api/types';
import type { Colours } from '../style/colours.svelte';

export interface Line {
  label: string;
  colour: keyof Colours;
  value: (snapshot: Snapshot) => number | null;
}

export interface ChartSpec {
  title: string;
  unit: string;
  lines: Line[];
}

/** The charts of the statistics page. */
export const CHARTS: ChartSpec[] = [
  {
    title: 'Nodes',
    unit: '',
    lines: [
      { label: 'answering', colour: 'ok', value: (s) => s.answering },
      { label: 'not answering', colour: 'bad', value: (s) => s.unreachable },
      { label: 'hosts missing', colour: 'warn', value: (s) => s.missing },
    ],
  },
  {
    title: 'Consistency',
    unit: '%',
    lines: [
      {
        label: 'consistency',
        colour: 'accent',
        value: (s) => (s.consistency === null ? null : s.consistency * 100),
      },
    ],
  },
  {
    title: 'Connections',
    unit: '',
    lines: [
      { label: 'all', colour: 'accent', value: (s) => s.connections },
      { label: 'TCP', colour: 'busy', value: (s) => s.tcp },
      { label: 'UDP', colour: 'ok', value: (s) => s.udp },
      { label: 'relayed', colour: 'warn', value: (s) => s.relayed },
    ],
  },
  {
    title: 'Time of a crawl',
    unit: 's',
    lines: [{ label: 'duration', colour: 'accent', value: (s) => s.duration_ms / 1000 }],
  },
];

/** Snapshots (newest first, as the API lists them) as columns over time: seconds, then each line. */
export function columnsOf(snapshots: readonly Snapshot[], lines: readonly Line[]): (number | null)[][] {
  const oldestFirst = [...snapshots].sort((a, b) => Date.parse(a.started) - Date.parse(b.started));
  return [
    oldestFirst.map((snapshot) => Date.parse(snapshot.started) / 1000),
    ...lines.map((line) => oldestFirst.map(line.value)),
  ];
}
