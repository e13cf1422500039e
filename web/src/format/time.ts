import { duration } from './duration';

export type Zone = 'utc' | 'local';

const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;

/** How long ago (or in how long) a point in time is, coarse enough to be read at a glance. */
export function relative(time: number, now: number): string {
  const ms = now - time;
  if (Math.abs(ms) < 5 * SECOND) return 'just now';
  const amount = coarse(Math.abs(ms));
  return ms > 0 ? `${amount} ago` : `in ${amount}`;
}

function coarse(ms: number): string {
  if (ms >= 2 * DAY) return `${Math.floor(ms / DAY)} d`;
  const [first, unit] = duration(Math.floor(ms / SECOND) * SECOND).split(' ');
  return `${first} ${unit}`;
}

/** The full date and time with its zone: `2026-11-23 10:04:12 UTC`. */
export function absolute(time: number, zone: Zone): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return 'unknown';
  if (zone === 'utc') return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${clock} ${offset(-date.getTimezoneOffset())}`;
}

/** Hours and minutes only, for "stale since 07:41". */
export function clockTime(time: number, zone: Zone): string {
  return absolute(time, zone).slice(11, 16);
}

function offset(minutes: number): string {
  const sign = minutes < 0 ? '-' : '+';
  const abs = Math.abs(minutes);
  const two = (n: number) => String(n).padStart(2, '0');
  return `UTC${sign}${two(Math.floor(abs / 60))}:${two(abs % 60)}`;
}

/** A point in time as a date and time field holds it, in whole seconds; empty when there is none. */
export function toInput(time: number, zone: Zone): string {
  return Number.isNaN(time) ? '' : absolute(time, zone).slice(0, 19).replace(' ', 'T');
}

/** What a date and time field holds as a point in time. */
export function fromInput(text: string, zone: Zone): number | undefined {
  const time = Date.parse(zone === 'utc' && text !== '' ? `${text}Z` : text);
  return Number.isNaN(time) ? undefined : time;
}
