import type { Action } from '../api/types';

/** A name of the API as words: `host_key_changed` becomes `Host key changed`. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A task's number as people write it. */
export const taskNumber = (id: number) => `#${id}`;

/** Actions that a person starts, with what each does, in the order of the pool's menu. */
export const ACTION_EFFECTS: Record<Action, string> = {
  install: 'Puts the package on every host, starts it and verifies it.',
  upgrade: 'Brings settings, hosts and software up to date; what is right already is left alone.',
  suspend: 'Stops every node; files, settings and history stay.',
  resume: 'Starts the nodes that were suspended.',
  stop: 'Uninstalls from every host and retires the pool.',
  check: 'Looks at every host and repairs what is not as it should be.',
  crawl: 'Walks the overlay and stores a snapshot.',
  uninstall_check: 'Retries the hosts that stop could not reach.',
  gather_logs: 'Brings back the logs of every node.',
  gather_data: 'Brings back the result files of every host.',
  gather_usage: 'Measures memory, CPU, load and disk of every host.',
  rotate_key: 'Puts a new SSH key on every host, proves it, and withdraws the old one.',
  fault: 'Stops or kills chosen nodes on purpose, or starts them again.',
};

/** A text cut in its middle to at most `max` characters, since both ends of an address tell most. */
export function middle(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = Math.floor((max - 1) / 2);
  return `${text.slice(0, max - 1 - end)}…${text.slice(text.length - end)}`;
}
