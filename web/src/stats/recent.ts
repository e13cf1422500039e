import { count } from '../format/number';

/** What the curve of the last crawls shows: how many nodes answered each, the oldest first. */
export function recentWords(answering: readonly number[]): string {
  const first = answering[0] ?? 0;
  const last = answering[answering.length - 1] ?? 0;
  const least = Math.min(...answering);
  const most = Math.max(...answering);
  const told = least === most ? `always ${count(most)}` : `from ${count(first)} to ${count(last)}`;
  const between = least < Math.min(first, last) || most > Math.max(first, last);
  return `Nodes answering in the last ${answering.length} crawls: ${told}${between ? `, between ${count(least)} and ${count(most)}` : ''}`;
}
