/**
 * Where the squares of the host matrix are. Hosts come in groups (one per outcome, most urgent
 * first); each group has a heading and as many rows as it needs.
 */

export interface Group {
  label: string;
  hosts: number;
}

export interface Block {
  label: string;
  /** Index of its first host, over all groups. */
  first: number;
  hosts: number;
  /** Top of the heading and of the squares, in CSS pixels. */
  top: number;
  squaresTop: number;
}

export interface Layout {
  columns: number;
  /** Distance from one square to the next, and side of a square, in CSS pixels. */
  pitch: number;
  side: number;
  height: number;
  blocks: Block[];
}

const GAP = 3;
const HEADING = 24;
const BLOCK_GAP = 10;
/** Largest and smallest side of a square in CSS pixels. */
export const SIDE_MAX = 22;
export const SIDE_MIN = 6;
/** So many squares are drawn at full size; more make them smaller. */
const LARGE_HOSTS = 600;
const SMALL_HOSTS = 8_000;

/** The side of the squares for so many hosts. */
export function sideFor(hosts: number): number {
  if (hosts <= LARGE_HOSTS) return SIDE_MAX;
  if (hosts >= SMALL_HOSTS) return SIDE_MIN;
  const share = (hosts - LARGE_HOSTS) / (SMALL_HOSTS - LARGE_HOSTS);
  return Math.round(SIDE_MAX - share * (SIDE_MAX - SIDE_MIN));
}

/** Lays the groups out in `width` CSS pixels; groups without hosts take no room. */
export function layoutOf(groups: readonly Group[], width: number): Layout {
  const hosts = groups.reduce((sum, group) => sum + group.hosts, 0);
  const side = sideFor(hosts);
  const pitch = side + GAP;
  const columns = Math.max(1, Math.floor((width + GAP) / pitch));
  const blocks: Block[] = [];
  let top = 0;
  let first = 0;
  for (const group of groups.filter((group) => group.hosts > 0)) {
    const squaresTop = top + HEADING;
    blocks.push({ label: group.label, first, hosts: group.hosts, top, squaresTop });
    top = squaresTop + Math.ceil(group.hosts / columns) * pitch + BLOCK_GAP;
    first += group.hosts;
  }
  return { columns, pitch, side, height: Math.max(0, top - BLOCK_GAP), blocks };
}

/** Left and top of the square of host `index`. */
export function placeOf(layout: Layout, index: number): { x: number; y: number } | undefined {
  const block = layout.blocks.findLast((block) => block.first <= index);
  if (!block || index >= block.first + block.hosts) return undefined;
  const at = index - block.first;
  return {
    x: (at % layout.columns) * layout.pitch,
    y: block.squaresTop + Math.floor(at / layout.columns) * layout.pitch,
  };
}

/** The host whose square is at this point; nothing between squares. */
export function hostAt(layout: Layout, x: number, y: number): number | undefined {
  const block = layout.blocks.findLast((block) => block.squaresTop <= y);
  if (!block || x < 0) return undefined;
  const column = Math.floor(x / layout.pitch);
  const row = Math.floor((y - block.squaresTop) / layout.pitch);
  const inside =
    x - column * layout.pitch < layout.side && y - block.squaresTop - row * layout.pitch < layout.side;
  const index = row * layout.columns + column;
  return inside && column < layout.columns && index < block.hosts ? block.first + index : undefined;
}

export type Direction = 'left' | 'right' | 'up' | 'down';

/** The host that an arrow key leads to from `index`; it stops at the ends. */
export function neighbourOf(layout: Layout, index: number, direction: Direction): number {
  const last = layout.blocks.at(-1);
  const total = last ? last.first + last.hosts : 0;
  const step = { left: -1, right: 1, up: -layout.columns, down: layout.columns }[direction];
  return Math.min(Math.max(0, total - 1), Math.max(0, index + step));
}
