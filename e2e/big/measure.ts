import { test, type Locator, type Page } from '@playwright/test';

/** What is kept in the page while something is measured. */
interface Kept {
  frames: number[];
  redrawn: number[];
  drawn: Promise<number>;
}

/**
 * Milliseconds from the last thing that a person did in `act` until the rows of the table are other ones and the
 * browser has drawn them, by the page's own clock.
 */
export async function untilDrawn(table: Locator, act: () => Promise<unknown>): Promise<number> {
  await table.evaluate((region) => {
    const rows = () => region.querySelector('tbody')?.textContent ?? '';
    const before = rows();
    let begun = 0;
    const begin = (event: Event) => (begun = event.timeStamp);
    const events = ['click', 'input', 'change'];
    for (const name of events) addEventListener(name, begin, { capture: true });
    (window as unknown as Kept).drawn = new Promise((done) => {
      const watching = new MutationObserver(() => {
        if (begun === 0 || rows() === before) return;
        watching.disconnect();
        for (const name of events) removeEventListener(name, begin, { capture: true });
        // A message comes after the frame in which they are drawn.
        requestAnimationFrame(() => {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => done(performance.now() - begun);
          port2.postMessage(undefined);
        });
      });
      watching.observe(region, { childList: true, subtree: true, characterData: true });
    });
  });
  await act();
  return Math.round(await table.evaluate(() => (window as unknown as Kept).drawn));
}

/** How smoothly the page moved. */
export interface Smoothness {
  fps: number;
  /** Longest pause between two frames, milliseconds. */
  longestMs: number;
  /** Frames for which a canvas was drawn anew. */
  redrawn: number;
}

/** Watches the frames while `act` goes on. */
export async function frames(page: Page, act: () => Promise<void>): Promise<Smoothness> {
  await page.evaluate(() => {
    const kept = window as unknown as Kept & { watching: boolean };
    [kept.frames, kept.redrawn, kept.watching] = [[], [], true];
    let drawn = 0;
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...where) {
      drawn++;
      clear.apply(this, where);
    };
    const tick = (now: number) => {
      kept.frames.push(now);
      kept.redrawn.push(drawn);
      drawn = 0;
      if (kept.watching) requestAnimationFrame(tick);
      else CanvasRenderingContext2D.prototype.clearRect = clear;
    };
    requestAnimationFrame(tick);
  });
  await act();
  const seen = await page.evaluate(() => {
    const kept = window as unknown as Kept & { watching: boolean };
    kept.watching = false;
    return { at: kept.frames, redrawn: kept.redrawn.filter((times) => times > 0).length };
  });
  const gaps = seen.at.slice(1).map((time, i) => time - (seen.at[i] ?? time));
  const span = (seen.at.at(-1) ?? 0) - (seen.at[0] ?? 0);
  const tenth = (n: number) => Math.round(n * 10) / 10;
  return {
    fps: tenth((gaps.length / span) * 1000),
    longestMs: tenth(Math.max(...gaps)),
    redrawn: seen.redrawn,
  };
}

/** A row of the bench: what was measured, and what is wanted. */
export interface Measured {
  name: string;
  unit: string;
  better: 'lower' | 'higher';
  ours: number;
  limit: number;
}

/** Prints it and leaves it in the report, where the bench finds it. Whether it is good enough fails no test. */
export function measured(row: Measured): void {
  console.log(`${row.name}: ${Math.round(row.ours * 10) / 10} ${row.unit} (wanted: ${row.limit})`);
  test.info().annotations.push({ type: 'measured', description: JSON.stringify(row) });
}

const sorted = (values: number[]) => values.toSorted((a, b) => a - b);

/** The median of at least one value. */
export const middle = (values: number[]): number => sorted(values)[values.length >> 1]!;
