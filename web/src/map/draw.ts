import { count } from '../format/number';
import type { Colours } from '../style/colours.svelte';
import { toneOf, type Located, type Mark } from './clusters';
import type { Transform, worldPaths } from './globe';
import type { PlacedTile } from './tiles';
import type { TileStore } from './tileStore';

/** A mark with its place on the canvas. */
export interface PlacedMark {
  mark: Mark;
  x: number;
  y: number;
  radius: number;
}

const NODE_RADIUS = 5;

/** Radius of a mark in CSS pixels: more nodes, a larger circle. */
export function radiusOf(mark: Mark): number {
  return mark.kind === 'node' ? NODE_RADIUS : Math.min(30, 9 + 3.2 * Math.log2(mark.nodes));
}

/** Draws land, and borders unless they are hidden, under the transform; once for each copy of the world in sight. */
export function drawWorld(
  context: CanvasRenderingContext2D,
  paths: ReturnType<typeof worldPaths>,
  transform: Transform,
  colours: Colours,
  { hideBorders, copies }: { hideBorders: boolean; copies: readonly number[] },
): void {
  for (const shift of copies) {
    context.save();
    context.translate(transform.x + shift, transform.y);
    context.scale(transform.k, transform.k);
    context.fillStyle = colours.ocean;
    context.fill(paths.sphere);
    context.fillStyle = colours.land;
    context.fill(paths.land);
    context.strokeStyle = colours.border;
    context.lineWidth = 0.8 / transform.k;
    if (!hideBorders) context.stroke(paths.borders);
    context.restore();
  }
}

/** Draws the pictures that are there; where none is, what was drawn before stays. */
export function drawTiles(
  context: CanvasRenderingContext2D,
  tiles: readonly PlacedTile[],
  store: TileStore<HTMLImageElement>,
): void {
  for (const tile of tiles) {
    const found = store.find(tile);
    if (!found) continue;
    const { picture, left, top, size } = found;
    const pixels = picture.naturalWidth;
    // Whole pixels: between two tiles there is neither a gap nor a seam.
    const [x, y] = [Math.round(tile.left), Math.round(tile.top)];
    const [right, bottom] = [Math.round(tile.left + tile.size), Math.round(tile.top + tile.size)];
    context.drawImage(
      picture,
      left * pixels,
      top * pixels,
      size * pixels,
      size * pixels,
      x,
      y,
      right - x,
      bottom - y,
    );
  }
}

/** Draws nodes and clusters; a cluster's ring tells which share of it is well. */
export function drawMarks(
  context: CanvasRenderingContext2D,
  placed: readonly PlacedMark[],
  points: Located,
  selected: string | undefined,
  colours: Colours,
): void {
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = '600 12px system-ui, sans-serif';
  for (const { mark, x, y, radius } of placed) {
    if (mark.kind === 'cluster') drawCluster(context, mark, x, y, radius, colours);
    else
      drawNode(
        context,
        x,
        y,
        colours[toneOf(points, mark.index)],
        points.ids[mark.index] === selected,
        colours,
      );
  }
}

function drawNode(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  fill: string,
  selected: boolean,
  colours: Colours,
): void {
  circle(context, x, y, NODE_RADIUS);
  context.fillStyle = fill;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = colours.surface;
  context.stroke();
  if (!selected) return;
  circle(context, x, y, NODE_RADIUS + 4);
  context.lineWidth = 2;
  context.strokeStyle = colours.text;
  context.stroke();
}

function drawCluster(
  context: CanvasRenderingContext2D,
  mark: Extract<Mark, { kind: 'cluster' }>,
  x: number,
  y: number,
  radius: number,
  colours: Colours,
): void {
  circle(context, x, y, radius);
  context.fillStyle = colours.surface;
  context.fill();
  const top = -Math.PI / 2;
  const well = top + 2 * Math.PI * (mark.well / mark.nodes);
  context.lineWidth = 3;
  arc(context, x, y, radius, top, well, colours.ok);
  if (mark.well < mark.nodes) arc(context, x, y, radius, well, top + 2 * Math.PI, colours.bad);
  context.fillStyle = colours.text;
  context.fillText(count(mark.nodes), x, y + 0.5);
}

function circle(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function arc(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  from: number,
  to: number,
  colour: string,
): void {
  context.beginPath();
  context.arc(x, y, radius, from, to);
  context.strokeStyle = colour;
  context.stroke();
}
