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

/** Shares of neighbours, as every page draws them. */
export const CONSISTENCY: ChartSpec = {
  title: 'Consistency',
  unit: '%',
  scale: 100,
  lines: [{ label: 'consistency', colour: 'accent', series: 'consistency' }],
};

/** Connections, with one more kind of them. */
export const connections = (more: string): ChartSpec => ({
  title: 'Connections',
  unit: '',
  scale: 1,
  lines: [
    { label: 'all', colour: 'accent', series: 'connections' },
    { label: 'TCP', colour: 'busy', series: 'tcp' },
    { label: 'UDP', colour: 'ok', series: 'udp' },
    { label: more, colour: 'warn', series: more },
  ],
});

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
  CONSISTENCY,
  connections('relayed'),
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

/** Values in the unit of a chart; unknown ones stay unknown. */
export const scaled = (values: readonly (number | null)[], spec: ChartSpec) =>
  values.map((value) => (value === null ? null : value * spec.scale));

/** The lines of a chart. Buckets of more than one crawl have bands from the smallest to the largest. */
export function linesOf(stats: Stats, spec: ChartSpec): PlotLine[] {
  const at = (values: (number | null)[] | undefined) => scaled(values ?? [], spec);
  return spec.lines.map(({ label, colour, series }) => {
    const spread = stats.series[series];
    const line: PlotLine = { label, colour, values: at(spread?.mean) };
    return stats.bucket_ms === 0 ? line : { ...line, min: at(spread?.min), max: at(spread?.max) };
  });
}
