import type { TaskHost } from '../api/types';
import { count } from '../format/number';
import { OUTCOME_MARKS, OUTCOME_TONES } from '../format/tone';
import type { Colours } from '../style/colours.svelte';
import { placeOf, type Layout } from './layout';

/** Smaller squares are too small for a mark, and for round corners, which are slow by the thousand. */
const MARK_MIN = 13;

/** Draws the headings and a square for each host. */
export function drawHosts(
  context: CanvasRenderingContext2D,
  layout: Layout,
  hosts: readonly TaskHost[],
  colours: Colours,
): void {
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.font = '600 13px system-ui, sans-serif';
  context.fillStyle = colours.muted;
  for (const block of layout.blocks) {
    context.fillText(`${block.label} · ${count(block.hosts)}`, 0, block.top + 10);
  }
  const { side } = layout;
  let painted: string | undefined;
  hosts.forEach((host, index) => {
    const place = placeOf(layout, index);
    if (!place) return;
    const colour = host.outcome === 'not_started' ? colours.idleSoft : colours[OUTCOME_TONES[host.outcome]];
    if (colour !== painted) context.fillStyle = painted = colour;
    if (side < MARK_MIN) return context.fillRect(place.x, place.y, side, side);
    square(context, place.x, place.y, side);
    context.fill();
  });
  if (side >= MARK_MIN) drawMarks(context, layout, hosts, colours);
}

function drawMarks(
  context: CanvasRenderingContext2D,
  layout: Layout,
  hosts: readonly TaskHost[],
  colours: Colours,
): void {
  const { side } = layout;
  context.textAlign = 'center';
  context.font = `700 ${Math.round(side * 0.6)}px system-ui, sans-serif`;
  context.fillStyle = colours.surface;
  hosts.forEach((host, index) => {
    const place = placeOf(layout, index);
    const mark = OUTCOME_MARKS[host.outcome];
    if (place && mark !== '') context.fillText(mark, place.x + side / 2, place.y + side / 2 + 1);
  });
}

/** Draws a frame around the square at a place in the list. */
export function drawFrame(
  context: CanvasRenderingContext2D,
  layout: Layout,
  index: number,
  colour: string,
  width: number,
): void {
  const place = placeOf(layout, index);
  if (!place) return;
  square(context, place.x, place.y, layout.side);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

function square(context: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  context.beginPath();
  context.roundRect(x, y, side, side, Math.min(4, side / 4));
}
