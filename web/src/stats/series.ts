import type { Stats } from '../api/types';
import type { Colours } from '../style/colours.svelte';

/** A line of a chart; what lies between `min` and `max` is drawn as a band around it. */
export interface PlotLine {
  label: string;
  colour: keyof Colours;
  values: (number | null)[];
  min?: (number | null)[];
  max?: (number | null)[];
}

interface Line {
  label: string;
  colour: keyof Colours;
  /** Name of the statistic. */
  series: string;
}

export interface ChartSpec {
  title: string;
  unit: string;
  /** What a value is multiplied by. */
  scale: number;
  lines: Line[];
}

/** The charts of the statistics page. */
export const CHARTS: ChartSpec[] = [
  {
    title: 'Nodes',
    unit: '',
    scale: 1,
    lines: [
      { label: 'answering', colour: 'ok', series: 'answering' },
      { label: 'not answering', colour: 'bad', series: 'unreachable' },
      { label: 'hosts missing', colour: 'warn', series: 'missing' },
    ],
  },
  {
    title: 'Consistency',
    unit: '%',
    scale: 100,
    lines: [{ label: 'consistency', colour: 'accent', series: 'consistency' }],
  },
  {
    title: 'Connections',
    unit: '',
    scale: 1,
    lines: [
      { label: 'all', colour: 'accent', series: 'connections' },
      { label: 'TCP', colour: 'busy', series: 'tcp' },
      { label: 'UDP', colour: 'ok', series: 'udp' },
      { label: 'relayed', colour: 'warn', series: 'relayed' },
    ],
  },
  {
    title: 'Time of a crawl',
    unit: 's',
    scale: 0.001,
    lines: [{ label: 'duration', colour: 'accent', series: 'duration_ms' }],
  },
];

/** Nodes that came and went, crawl by crawl. */
export const CAME_AND_WENT: ChartSpec = {
  title: 'Joined and left',
  unit: '',
  scale: 1,
  lines: [
    { label: 'joined', colour: 'ok', series: 'joined' },
    { label: 'left', colour: 'bad', series: 'left' },
  ],
};

/** Times as a chart takes them, in seconds. */
export const seconds = (times: readonly string[]): number[] => times.map((time) => Date.parse(time) / 1000);

/** The lines of a chart. Buckets of more than one crawl have bands from the smallest to the largest. */
export function linesOf(stats: Stats, spec: ChartSpec): PlotLine[] {
  const scaled = (values: (number | null)[] | undefined) =>
    (values ?? []).map((value) => (value === null ? null : value * spec.scale));
  return spec.lines.map(({ label, colour, series }) => {
    const spread = stats.series[series];
    const line: PlotLine = { label, colour, values: scaled(spread?.mean) };
    return stats.bucket_ms === 0 ? line : { ...line, min: scaled(spread?.min), max: scaled(spread?.max) };
  });
}
