import type { Zone } from '../format/time';

export type Theme = 'system' | 'light' | 'dark';

const PREFIX = 'p2ppool.';

function read<T extends string>(key: string, options: readonly T[], fallback: T): T {
  try {
    return options.find((option) => option === localStorage.getItem(PREFIX + key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Private windows may forbid it; the choice then lasts as long as the page.
  }
}

/** What a person prefers on this machine; kept in the browser. */
class Preferences {
  #theme = $state<Theme>(read('theme', ['system', 'light', 'dark'], 'system'));
  #zone = $state<Zone>(read('zone', ['utc', 'local'], 'local'));
  #keys = $state<'on' | 'off'>(read('keys', ['on', 'off'], 'on'));

  get theme(): Theme {
    return this.#theme;
  }
  set theme(theme: Theme) {
    this.#theme = theme;
    write('theme', theme);
    this.applyTheme();
  }

  /** The zone that full times are shown in. */
  get zone(): Zone {
    return this.#zone;
  }
  set zone(zone: Zone) {
    this.#zone = zone;
    write('zone', zone);
  }

  /** Single-key shortcuts work. */
  get keys(): 'on' | 'off' {
    return this.#keys;
  }
  set keys(keys: 'on' | 'off') {
    this.#keys = keys;
    write('keys', keys);
  }

  /** The columns chosen for a table, by its name; kept per person's browser. */
  columns(table: string): string | null {
    try {
      return localStorage.getItem(`${PREFIX}columns.${table}`);
    } catch {
      return null;
    }
  }

  keepColumns(table: string, columns: string): void {
    write(`columns.${table}`, columns);
  }

  applyTheme(): void {
    const root = document.documentElement;
    if (this.#theme === 'system') root.removeAttribute('data-theme');
    else root.setAttribute('data-theme', this.#theme);
  }
}

export const preferences = new Preferences();
