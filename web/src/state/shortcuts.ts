/** Single-key shortcuts: what a sequence of keys means. */
export type Shortcut = 'filter' | 'go_pools' | 'go_tasks' | 'help' | 'next_row' | 'previous_row';

const MEANINGS: Record<string, Shortcut> = {
  '/': 'filter',
  'g p': 'go_pools',
  'g t': 'go_tasks',
  '?': 'help',
  j: 'next_row',
  k: 'previous_row',
};

/** The meaning of `key` after `before` (the key pressed just before it, if recent). */
export function shortcutOf(before: string | undefined, key: string): Shortcut | undefined {
  return (before === undefined ? undefined : MEANINGS[`${before} ${key}`]) ?? MEANINGS[key];
}

/** The person types text, so keys are not shortcuts. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  );
}

/** For the list that `?` shows. */
export const SHORTCUT_HELP: [keys: string, meaning: string][] = [
  ['/', 'Go to the filter'],
  ['g p', 'Go to the pools'],
  ['g t', 'Go to the tasks'],
  ['j k', 'Next and previous row of a table; Enter opens it'],
  ['Ctrl K', 'Go to any page, pool or task'],
  ['Esc', 'Close the panel or dialog'],
  ['?', 'This list'],
];
