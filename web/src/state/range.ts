import type { TimeSpan } from '../api/history';
import { oneOf, text, type Values } from './view';

/** A part of the history, as people choose it. */
export const RANGES = ['last', '1d', '7d', '30d', '1y', 'own'] as const;
export type RangeName = (typeof RANGES)[number];

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS: Partial<Record<RangeName, number>> = { '1d': 1, '7d': 7, '30d': 30, '1y': 365 };

/** What the address holds of a range: its name, and for one's own the times (RFC 3339). */
export function rangeFields(fallback: RangeName) {
  return { range: oneOf<RangeName>(RANGES, fallback), from: text(), to: text() };
}

export type RangeView = Values<ReturnType<typeof rangeFields>>;

const isTime = (text: string) => /^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text));

/** The times of a range; `last` has none, and of one's own only those that make sense. */
export function spanOf(view: RangeView, now: number): TimeSpan {
  const days = DAYS[view.range];
  if (days !== undefined) return { from: new Date(now - days * DAY_MS).toISOString() };
  if (view.range !== 'own') return {};
  const [from, to] = [isTime(view.from) ? view.from : undefined, isTime(view.to) ? view.to : undefined];
  if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to)) return { from };
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

/** One's own range between two times, in milliseconds, in whichever order they come. */
export function ownRange(a: number, b: number): RangeView {
  const [from, to] = a <= b ? [a, b] : [b, a];
  return {
    range: 'own',
    from: new Date(from).toISOString(),
    to: new Date(Math.max(to, from + 1)).toISOString(),
  };
}

/** Twice as long around the same middle, but not into the future. */
export function widened(from: number, to: number, now: number): RangeView {
  const half = Math.max(1000, to - from);
  const middle = (from + to) / 2;
  return ownRange(middle - half, Math.min(now, middle + half));
}
