/** What stands for a value that nobody knows. */
export const UNKNOWN = '–';

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** A whole number with thousands separators. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : grouped.format(value);
}

/** A number with a fixed count of decimals. */
export function decimal(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? UNKNOWN : value.toFixed(digits);
}

/**
 * A share (0 to 1) in percent. It never rounds up to 100 or down to 0: "100 %" means all of them
 * and "0 %" means none.
 */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return UNKNOWN;
  const rounded = Math.round(share * 1000) / 10;
  if (rounded >= 100 && share < 1) return '99.9 %';
  if (rounded <= 0 && share > 0) return '0.1 %';
  return `${Number.isInteger(rounded) ? rounded : rounded.toFixed(1)} %`;
}

/** `1 host`, `2 hosts`. */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}
