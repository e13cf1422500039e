import { preferences } from '../state/preferences.svelte';

/** The tokens that canvases draw with. */
const TOKENS = {
  text: '--text',
  muted: '--muted',
  surface: '--surface',
  line: '--line',
  accent: '--accent',
  accentSoft: '--accent-soft',
  ok: '--ok',
  busy: '--busy',
  warn: '--warn',
  bad: '--bad',
  idle: '--line-strong',
  idleSoft: '--idle-soft',
  ocean: '--ocean',
  land: '--land',
  border: '--border',
} as const;

export type Colours = Record<keyof typeof TOKENS, string>;

/** The design tokens as colours of the theme that is shown; changes with it. */
class ThemeColours {
  #dark = matchMedia('(prefers-color-scheme: dark)');
  /** Paper has colours of its own, and canvases are drawn anew for it. */
  #paper = matchMedia('print');
  #changes = $state(0);
  #probe = document.createElement('span');

  constructor() {
    for (const query of [this.#dark, this.#paper]) {
      query.addEventListener('change', () => (this.#changes += 1));
    }
    this.#probe.hidden = true;
    document.body.append(this.#probe);
  }

  readonly current: Colours = $derived.by(() => {
    // Both decide the theme; reading them makes this run again.
    void this.#changes;
    void preferences.theme;
    const colour = (token: string) => {
      // `light-dark()` is resolved only in a real property.
      this.#probe.style.color = `var(${token})`;
      return getComputedStyle(this.#probe).color;
    };
    return Object.fromEntries(
      Object.entries(TOKENS).map(([name, token]) => [name, colour(token)]),
    ) as Colours;
  });
}

export const themeColours = new ThemeColours();
