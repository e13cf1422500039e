import type { Action, Schedule, SchedulePatch } from '../api/types';

/** A schedule as a person types it. */
export interface ScheduleForm {
  pool: string;
  what: Action | `workflow:${string}`;
  cron: string;
  /** Once, as the browser's date field writes it; empty: by cron. */
  at: string;
  timeZone: string;
  jitterMin: string;
  catchUp: Schedule['catch_up'];
  overlap: Schedule['overlap'];
  enabled: boolean;
}

/** Actions that make sense by themselves, the most usual first. */
export const SCHEDULED: Action[] = [
  'crawl',
  'check',
  'gather_usage',
  'gather_logs',
  'gather_data',
  'upgrade',
  'uninstall_check',
  'suspend',
  'resume',
];

/** Times that are asked for most. */
export const USUAL: [cron: string, text: string][] = [
  ['*/15 * * * *', 'every 15 minutes'],
  ['*/30 * * * *', 'every 30 minutes'],
  ['0 * * * *', 'every hour'],
  ['0 3 * * *', 'every night at three'],
  ['0 3 * * 0', 'every Sunday at three'],
];

/** The time zone of this browser. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

export function emptySchedule(pool: string): ScheduleForm {
  return {
    pool,
    what: 'crawl',
    cron: '*/30 * * * *',
    at: '',
    timeZone: ownZone(),
    jitterMin: '0',
    catchUp: 'run_once',
    overlap: 'skip',
    enabled: true,
  };
}

/** The form that shows a schedule as it is. */
export function formOfSchedule(schedule: Schedule): ScheduleForm {
  return {
    pool: schedule.pool_name,
    what: 'workflow' in schedule.starts ? `workflow:${schedule.starts.workflow}` : schedule.starts.action,
    cron: 'cron' in schedule ? String(schedule.cron) : '',
    at: 'at' in schedule ? localText(new Date(String(schedule.at))) : '',
    timeZone: schedule.time_zone,
    jitterMin: String(schedule.jitter_s / 60),
    catchUp: schedule.catch_up,
    overlap: schedule.overlap,
    enabled: schedule.enabled,
  };
}

/** What the manager is told. */
export function patchOf(form: ScheduleForm): SchedulePatch {
  const workflow = form.what.startsWith('workflow:') ? form.what.slice('workflow:'.length) : undefined;
  return {
    starts: workflow === undefined ? { action: form.what as Action } : { workflow },
    ...(form.at === '' ? { cron: form.cron.trim() } : { at: new Date(form.at).toISOString() }),
    time_zone: form.timeZone,
    jitter_s: Math.round(Number(form.jitterMin) * 60),
    catch_up: form.catchUp,
    overlap: form.overlap,
    enabled: form.enabled,
  };
}

/** As `<input type=datetime-local>` wants it: local time without a zone. */
function localText(date: Date): string {
  if (Number.isNaN(date.getTime())) return '';
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
