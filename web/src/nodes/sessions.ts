import type { NodeSession } from '../api/types';
import { percent } from '../format/number';

/** A length that is only known to lie between two, in milliseconds; `most` is null when nobody knows. */
export interface Length {
  least: number;
  most: number | null;
}

/**
 * How long a session was. It began somewhere between the crawl before it and the first that it
 * answered, and ended somewhere between the last that it answered and the next; of a session that
 * began before the first crawl, or goes on, the longest length is unknown.
 */
export function lengthOf(session: NodeSession): Length {
  const least = Date.parse(session.ended) - Date.parse(session.began);
  if (session.before === null || session.after === null) return { least, most: null };
  return { least, most: Date.parse(session.after) - Date.parse(session.before) };
}

/** A session on a line of time, as shares of it: surely there from `began` to `ended`, perhaps from `before` to `after`. */
export interface Stroke {
  before: number;
  began: number;
  ended: number;
  after: number;
  /** It goes on behind the end. */
  open: boolean;
}

/** Sessions on a line from one point in time to another. */
export function strokesOf(sessions: readonly NodeSession[], from: string, to: string): Stroke[] {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  const share = (time: string) =>
    end === start ? 1 : Math.min(1, Math.max(0, (Date.parse(time) - start) / (end - start)));
  return sessions.map(({ before, began, ended, after }) => ({
    before: before === null ? 0 : share(before),
    began: share(began),
    ended: share(ended),
    after: after === null ? 1 : share(after),
    open: after === null,
  }));
}

/** A share between two bounds: `95 %`, or `90 % to 95 %` when it is not known better. */
export function boundsText({ least, most }: { least: number; most: number }): string {
  const [low, high] = [percent(least), percent(most)];
  return low === high ? low : `${low} to ${high}`;
}
