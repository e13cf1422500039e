import type { AuditQuery, AuditResult } from '../api/people';
import { narrowing, oneOf, text, type Values } from '../state/view';

export const RESULTS: readonly AuditResult[] = ['ok', 'refused', 'failed'];

/** A day as a date field writes it: `2026-11-23`. */
const day = () => {
  const field = text();
  return narrowing({
    ...field,
    parse: (value: string) => (Number.isNaN(Date.parse(value)) ? undefined : value),
  });
};

/** What the address of the audit log holds beside what every list's does. */
export const AUDIT_FIELDS = {
  who: narrowing(text()),
  action: narrowing(text()),
  pool: narrowing(text()),
  result: narrowing(oneOf<'' | AuditResult>(['', ...RESULTS], '')),
  from: day(),
  to: day(),
};

type View = Values<typeof AUDIT_FIELDS> & { q: string };

/** The filter as the manager wants it. Days are those of this machine; the last one is shown, too. */
export function auditQuery(view: View): AuditQuery {
  const { q, who, action, pool, result } = view;
  return {
    ...(q === '' ? {} : { q }),
    ...(who === '' ? {} : { who: who.trim() }),
    ...(action === '' ? {} : { action: action.trim() }),
    ...(pool === '' ? {} : { pool: pool.trim() }),
    ...(result === '' ? {} : { result }),
    ...(view.from === '' ? {} : { from: startOf(view.from, 0) }),
    ...(view.to === '' ? {} : { to: startOf(view.to, 1) }),
  };
}

/** The beginning of a day, or of one `later` days after it. */
function startOf(text: string, later: number): string {
  const [year = 1970, month = 1, date = 1] = text.split('-').map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

/** Details of a line as one line of text. */
export function detailsOf(details: unknown): string {
  if (details === null || typeof details !== 'object') return details === null ? '' : String(details);
  return Object.entries(details)
    .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}
