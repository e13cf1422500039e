import type { Topology } from '../api/types';
import type { Tone } from '../format/tone';

/** What a link is: bits of `Links.flags`. */
export const NEAR = 1;
/** The other end answered and did not name this one back. */
export const ONE_SIDED = 2;
/** The other end was named and does not answer. */
export const SILENT = 4;

/** Links to one of so many next nodes lie on the rim; on a small ring, of its eighth. */
const NEAR_RANKS = 4;

/** What is needed of a topology. */
export type Shape = Pick<Topology, 'ids' | 'ring' | 'status' | 'neighbours' | 'consistency'>;

/** Links of the overlay, one item each; what goes both ways is one link. Ends are rows of the topology. */
export interface Links {
  from: Int32Array;
  to: Int32Array;
  flags: Uint8Array;
  count: number;
}

/** The overlay as a circle. */
export interface Ring {
  /** Rows that have a place, clockwise from the top. */
  order: Int32Array;
  /** Of each row where in `order` it is; -1 without a place. */
  rank: Int32Array;
  /** Of each row its place in radians, clockwise from the top. */
  angle: Float64Array;
  links: Links;
  /** Of each row how many others name it. */
  named: Int32Array;
  /** Nodes whose address has no place on the ring. */
  unplaced: number;
}

/** Puts the nodes of a topology onto the circle and sorts out its links. */
export function ringOf(shape: Shape): Ring {
  const placed = shape.ring.flatMap((place, row) => (place === null ? [] : [row]));
  const order = Int32Array.from(placed).sort((a, b) => (shape.ring[a] ?? 0) - (shape.ring[b] ?? 0));
  const rank = new Int32Array(shape.ids.length).fill(-1);
  order.forEach((row, at) => (rank[row] = at));
  const angle = Float64Array.from(shape.ring, (place) => (place ?? 0) * 2 * Math.PI);
  const named = new Int32Array(shape.ids.length);
  for (const others of shape.neighbours) for (const other of others) named[other] = (named[other] ?? 0) + 1;
  return {
    order,
    rank,
    angle,
    named,
    unplaced: shape.ids.length - placed.length,
    links: linksOf(shape, rank),
  };
}

function linksOf(shape: Shape, rank: Int32Array): Links {
  const most = shape.neighbours.reduce((sum, others) => sum + others.length, 0);
  const [from, to, flags] = [new Int32Array(most), new Int32Array(most), new Uint8Array(most)];
  let count = 0;
  const around = rank.reduce((sum, at) => sum + Number(at >= 0), 0);
  shape.neighbours.forEach((others, row) => {
    for (const other of others) {
      const flag = flagOf(shape, row, other);
      // What goes both ways was or will be seen from the other end, too.
      if (flag === 0 && other < row && shape.neighbours[other]?.includes(row)) continue;
      from[count] = row;
      to[count] = other;
      flags[count] = flag | (isNear(rank[row] ?? -1, rank[other] ?? -1, around) ? NEAR : 0);
      count += 1;
    }
  });
  return { from, to, flags, count };
}

function flagOf(shape: Shape, row: number, other: number): number {
  if (shape.status[other] !== 'answering') return SILENT;
  return shape.neighbours[other]?.includes(row) ? 0 : ONE_SIDED;
}

function isNear(a: number, b: number, around: number): boolean {
  if (a < 0 || b < 0) return false;
  const apart = Math.abs(a - b);
  return Math.min(apart, around - apart) <= Math.max(1, Math.min(NEAR_RANKS, Math.floor(around / 8)));
}

/** The row whose place is nearest to an angle; nothing on an empty ring. */
export function nearestRow(ring: Ring, angle: number): number | undefined {
  const { order } = ring;
  if (order.length === 0) return undefined;
  const turn = 2 * Math.PI;
  const sought = ((angle % turn) + turn) % turn;
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ring.angle[order[middle] ?? 0] ?? 0) < sought) low = middle + 1;
    else high = middle;
  }
  const after = order[low % order.length] ?? 0;
  const before = order[(low - 1 + order.length) % order.length] ?? 0;
  const away = (row: number) => {
    const apart = Math.abs((ring.angle[row] ?? 0) - sought);
    return Math.min(apart, turn - apart);
  };
  return away(before) < away(after) ? before : after;
}

/** How well a node is: red when it does not answer, amber when it does not know all of its neighbours. */
export function toneOfRow(shape: Shape, row: number): Tone {
  if (shape.status[row] !== 'answering') return shape.status[row] === 'not_dialled' ? 'idle' : 'bad';
  const consistency = shape.consistency[row] ?? null;
  return consistency !== null && consistency < 1 ? 'warn' : 'ok';
}

/** Links of one row: those it named, those it was named by, as positions in `links`. */
export function linksAt(links: Links, row: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < links.count; i++) if (links.from[i] === row || links.to[i] === row) found.push(i);
  return found;
}

/** Two nodes that do not agree about being neighbours. */
export interface Disagreement {
  from: number;
  to: number;
  why: 'not_named_back' | 'does_not_answer';
}

/** Every link that its other end does not confirm. */
export function disagreements(links: Links): Disagreement[] {
  const found: Disagreement[] = [];
  for (let i = 0; i < links.count; i++) {
    const flags = links.flags[i] ?? 0;
    if ((flags & (ONE_SIDED | SILENT)) === 0) continue;
    const why = flags & SILENT ? 'does_not_answer' : 'not_named_back';
    found.push({ from: links.from[i] ?? 0, to: links.to[i] ?? 0, why });
  }
  return found;
}

/** A bar of a histogram: values from `from` to `to`, both included. */
export interface Bar {
  from: number;
  to: number;
  count: number;
}

/** Counts by value as at most `most` bars of equal width. */
export function barsOf(counts: Readonly<Record<string, number>>, most: number): Bar[] {
  const values = Object.keys(counts).map(Number);
  if (values.length === 0) return [];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = Math.max(1, Math.ceil((high - low + 1) / most));
  const bars = Array.from({ length: Math.ceil((high - low + 1) / width) }, (_, i): Bar => {
    const from = low + i * width;
    return { from, to: from + width - 1, count: 0 };
  });
  for (const value of values) {
    const bar = bars[Math.floor((value - low) / width)];
    if (bar) bar.count += counts[String(value)] ?? 0;
  }
  return bars;
}
