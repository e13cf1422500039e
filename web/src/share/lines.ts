import type { SharedCrawl } from '../api/sharing';
import type { ChartSpec, PlotLine } from '../stats/series';

/** Charts run from left to right in time; lists begin with the newest. */
export function oldestFirst(crawls: readonly SharedCrawl[]): SharedCrawl[] {
  return [...crawls].sort((a, b) => Date.parse(a.started) - Date.parse(b.started));
}

/** The lines of a chart, one value for each crawl. */
export function crawlLines(crawls: readonly SharedCrawl[], spec: ChartSpec): PlotLine[] {
  return spec.lines.map(({ label, colour, series }) => ({
    label,
    colour,
    values: crawls.map((crawl) => {
      const value = crawl[series as 'nodes'] as number | null | undefined;
      return value === null || value === undefined ? null : value * spec.scale;
    }),
  }));
}
