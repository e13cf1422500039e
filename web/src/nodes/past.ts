import type { NodeHistory } from '../api/types';
import { connections, CONSISTENCY, scaled, type ChartSpec, type PlotLine } from '../stats/series';

/** The charts of a node's page. Series are those of a node, and `neighbours`. */
export const NODE_CHARTS: ChartSpec[] = [
  {
    title: 'Round-trip time',
    unit: 'ms',
    scale: 1,
    lines: [{ label: 'RTT', colour: 'accent', series: 'rtt_ms' }],
  },
  CONSISTENCY,
  connections('neighbours'),
  {
    title: 'Memory',
    unit: 'MiB',
    scale: 1 / 1024 ** 2,
    lines: [{ label: 'resident', colour: 'accent', series: 'memory' }],
  },
  { title: 'Load', unit: '', scale: 1, lines: [{ label: 'load', colour: 'accent', series: 'load' }] },
  {
    title: 'Uptime',
    unit: 'h',
    scale: 1 / 3600,
    lines: [{ label: 'uptime', colour: 'accent', series: 'uptime_s' }],
  },
];

/** The lines of a chart of one node; crawls that did not see it leave a gap. */
export function nodeLines(history: NodeHistory, chart: ChartSpec): PlotLine[] {
  return chart.lines.map(({ label, colour, series }) => {
    const values = series === 'neighbours' ? history.neighbours : (history.series[series] ?? []);
    return { label, colour, values: scaled(values, chart) };
  });
}
