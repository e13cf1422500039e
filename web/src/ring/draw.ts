import type { Colours } from '../style/colours.svelte';
import { linksAt, NEAR, ONE_SIDED, SILENT, toneOfRow, type Ring, type Shape } from './model';

/** Where the circle lies on the canvas, in CSS pixels. */
export interface Circle {
  x: number;
  y: number;
  r: number;
}

/** More shortcuts than this are a grey disc; evenly spaced ones of them show the same. */
export const SHORTCUTS_DRAWN_MAX = 20_000;
/** One path of very many curves is far slower than several short ones. */
const CURVES_PER_PATH = 250;
/** How far from the middle a shortcut bends, of the radius. */
const BEND = 0.35;
/** What is red lies so far outside of the rim, in CSS pixels. */
const OUTSIDE = 5;

/** The place of an angle on the canvas. */
export function placeAt(circle: Circle, angle: number, r = circle.r): [x: number, y: number] {
  return [circle.x + r * Math.sin(angle), circle.y - r * Math.cos(angle)];
}

/** Radius of a node's dot: as large as fits. */
export function dotRadius(nodes: number, r: number): number {
  return Math.min(6, Math.max(1.2, ((2 * Math.PI * r) / Math.max(1, nodes)) * 0.4));
}

/** Draws every link and node; returns how many shortcuts were left out. */
export function drawRing(
  context: CanvasRenderingContext2D,
  shape: Shape,
  ring: Ring,
  circle: Circle,
  colours: Colours,
): number {
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  context.arc(circle.x, circle.y, circle.r, 0, 2 * Math.PI);
  context.stroke();
  const classes = sortLinks(ring);
  const step = Math.max(1, Math.ceil(classes.shortcuts.length / SHORTCUTS_DRAWN_MAX));
  const shortcuts = step === 1 ? classes.shortcuts : classes.shortcuts.filter((_, i) => i % step === 0);
  context.globalAlpha = Math.min(0.8, Math.max(0.08, 12 / Math.sqrt(shortcuts.length + 1)));
  curves(context, ring, circle, shortcuts, colours.busy);
  context.globalAlpha = 1;
  rim(context, ring, circle, classes.near, colours.accent, 0);
  context.globalAlpha = Math.min(0.9, Math.max(0.25, 12 / Math.sqrt(classes.badShortcuts.length + 1)));
  curves(context, ring, circle, classes.badShortcuts.slice(0, SHORTCUTS_DRAWN_MAX), colours.bad);
  context.globalAlpha = 1;
  rim(context, ring, circle, classes.badNear, colours.bad, OUTSIDE);
  drawDots(context, shape, ring, circle, colours);
  return classes.shortcuts.length - shortcuts.length;
}

function sortLinks({ links, rank }: Ring) {
  const sorted = {
    near: [] as number[],
    badNear: [] as number[],
    shortcuts: [] as number[],
    badShortcuts: [] as number[],
  };
  for (let i = 0; i < links.count; i++) {
    if ((rank[links.from[i] ?? 0] ?? -1) < 0 || (rank[links.to[i] ?? 0] ?? -1) < 0) continue;
    const flags = links.flags[i] ?? 0;
    const bad = (flags & (ONE_SIDED | SILENT)) !== 0;
    if (flags & NEAR) (bad ? sorted.badNear : sorted.near).push(i);
    else (bad ? sorted.badShortcuts : sorted.shortcuts).push(i);
  }
  return sorted;
}

function curves(
  context: CanvasRenderingContext2D,
  ring: Ring,
  circle: Circle,
  which: number[],
  colour: string,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  for (let start = 0; start < which.length; start += CURVES_PER_PATH) {
    context.beginPath();
    for (let i = start; i < Math.min(which.length, start + CURVES_PER_PATH); i++) {
      curve(context, ring, circle, which[i] ?? 0);
    }
    context.stroke();
  }
}

function curve(
  context: CanvasRenderingContext2D,
  { links, angle }: Ring,
  circle: Circle,
  link: number,
): void {
  const [ax, ay] = placeAt(circle, angle[links.from[link] ?? 0] ?? 0);
  const [bx, by] = placeAt(circle, angle[links.to[link] ?? 0] ?? 0);
  const toward = (a: number, b: number, middle: number) => middle + ((a + b) / 2 - middle) * BEND;
  context.moveTo(ax, ay);
  context.quadraticCurveTo(toward(ax, bx, circle.x), toward(ay, by, circle.y), bx, by);
}

function rim(
  context: CanvasRenderingContext2D,
  ring: Ring,
  circle: Circle,
  which: number[],
  colour: string,
  outside: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  for (let start = 0; start < which.length; start += CURVES_PER_PATH) {
    context.beginPath();
    for (let i = start; i < Math.min(which.length, start + CURVES_PER_PATH); i++) {
      arc(context, ring, circle, which[i] ?? 0, outside);
    }
    context.stroke();
  }
}

function arc(
  context: CanvasRenderingContext2D,
  { links, angle }: Ring,
  circle: Circle,
  link: number,
  outside: number,
): void {
  const [a, b] = [angle[links.from[link] ?? 0] ?? 0, angle[links.to[link] ?? 0] ?? 0];
  const [low, high] = a < b ? [a, b] : [b, a];
  const [begin, end] = high - low <= Math.PI ? [low, high] : [high, low + 2 * Math.PI];
  const r = circle.r + outside;
  context.moveTo(...placeAt(circle, begin, r));
  context.arc(circle.x, circle.y, r, begin - Math.PI / 2, end - Math.PI / 2);
}

function drawDots(
  context: CanvasRenderingContext2D,
  shape: Shape,
  ring: Ring,
  circle: Circle,
  colours: Colours,
): void {
  const radius = dotRadius(ring.order.length, circle.r);
  // What is wrong lies on top.
  for (const tone of ['idle', 'ok', 'warn', 'bad'] as const) {
    context.fillStyle = colours[tone];
    context.beginPath();
    for (const row of ring.order) {
      if (toneOfRow(shape, row) !== tone) continue;
      const [x, y] = placeAt(circle, ring.angle[row] ?? 0);
      context.moveTo(x + radius, y);
      context.arc(x, y, tone === 'bad' ? radius + 1 : radius, 0, 2 * Math.PI);
    }
    context.fill();
  }
}

/** Draws one node and all of its links above the rest. */
export function drawPointed(
  context: CanvasRenderingContext2D,
  ring: Ring,
  circle: Circle,
  row: number,
  colours: Colours,
): void {
  for (const link of linksAt(ring.links, row)) {
    const bad = ((ring.links.flags[link] ?? 0) & (ONE_SIDED | SILENT)) !== 0;
    context.strokeStyle = bad ? colours.bad : colours.text;
    context.lineWidth = 1.5;
    context.setLineDash(ring.links.from[link] === row ? [] : [4, 3]);
    context.beginPath();
    curve(context, ring, circle, link);
    context.stroke();
  }
  context.setLineDash([]);
  const [x, y] = placeAt(circle, ring.angle[row] ?? 0);
  context.beginPath();
  context.arc(x, y, dotRadius(ring.order.length, circle.r) + 4, 0, 2 * Math.PI);
  context.lineWidth = 2;
  context.strokeStyle = colours.text;
  context.stroke();
}
