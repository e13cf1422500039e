import type { AlertTarget, QuietHours, TargetSettings } from '../api/watching';
import { ownZone } from '../schedules/form';

/** A target as a person types it. */
export interface TargetForm {
  name: string;
  kind: TargetSettings['kind'];
  url: string;
  server: string;
  port: string;
  security: 'starttls' | 'tls' | 'none';
  from: string;
  to: string;
  user: string;
  /** Empty: the one that is kept, or a random one for a new webhook. */
  secret: string;
  quiet: boolean;
  quietFrom: string;
  quietUntil: string;
  timeZone: string;
  weekends: boolean;
}

export function emptyTarget(): TargetForm {
  return {
    name: '',
    kind: 'webhook',
    url: '',
    server: '',
    port: '587',
    security: 'starttls',
    from: '',
    to: '',
    user: '',
    secret: '',
    quiet: false,
    quietFrom: '22:00',
    quietUntil: '07:00',
    timeZone: ownZone(),
    weekends: false,
  };
}

export function formOfTarget(target: AlertTarget): TargetForm {
  const { settings, quiet } = target;
  const form = { ...emptyTarget(), name: target.name, kind: settings.kind };
  const told =
    settings.kind === 'webhook'
      ? { url: settings.url }
      : {
          server: settings.server,
          port: String(settings.port),
          security: settings.security ?? 'starttls',
          from: settings.from,
          to: settings.to.join(', '),
          user: settings.user ?? '',
        };
  const hours = quiet && {
    quiet: true,
    quietFrom: quiet.from,
    quietUntil: quiet.until,
    timeZone: quiet.time_zone ?? 'UTC',
    weekends: quiet.weekends ?? false,
  };
  return { ...form, ...told, ...(hours ?? {}) };
}

/** What the manager is told of where messages go. */
export function settingsOfTarget(form: TargetForm): TargetSettings {
  if (form.kind === 'webhook') return { kind: 'webhook', url: form.url.trim() };
  return {
    kind: 'mail',
    server: form.server.trim(),
    port: Number(form.port),
    security: form.security,
    from: form.from.trim(),
    to: form.to.split(/[\s,;]+/).filter((address) => address !== ''),
    user: form.user.trim() === '' ? null : form.user.trim(),
  };
}

export function quietOf(form: TargetForm): QuietHours | null {
  if (!form.quiet) return null;
  return {
    from: form.quietFrom,
    until: form.quietUntil,
    time_zone: form.timeZone,
    weekends: form.weekends,
  };
}

/** Where messages go, in a line. */
export function whereOf(settings: TargetSettings): string {
  return settings.kind === 'webhook' ? settings.url : settings.to.join(', ');
}

export function quietText(quiet: QuietHours | null): string {
  if (!quiet) return 'never';
  const weekends = quiet.weekends ? ', and weekends' : '';
  return `${quiet.from} to ${quiet.until} ${quiet.time_zone ?? 'UTC'}${weekends}`;
}
