import type { TaskHost } from '../api/types';

/** Hosts that are asked for at once; the browser allows six connections to one server. */
const AT_ONCE = 4;

/** One host's output below a heading that says what became of it. */
export function logOf(host: TaskHost, output: string): string {
  const head = [host.address, host.outcome, host.step ?? '', host.message].filter((part) => part !== '');
  const body = output === '' ? '(said nothing)\n' : output.endsWith('\n') ? output : `${output}\n`;
  return `==== ${head.join(' · ')}\n${body}\n`;
}

/**
 * The outputs of hosts, in their order, each below its heading. What can't be read says why in its
 * place. `told` is called with how many are done.
 */
export async function gatherLogs(
  hosts: readonly TaskHost[],
  read: (host: TaskHost, signal: AbortSignal) => Promise<string>,
  signal: AbortSignal,
  told: (done: number) => void,
): Promise<string[]> {
  const texts: string[] = new Array<string>(hosts.length).fill('');
  let [next, done] = [0, 0];
  const work = async () => {
    for (let at = next++; at < hosts.length; at = next++) {
      signal.throwIfAborted();
      const host = hosts[at]!;
      const output = await read(host, signal).catch((thrown: unknown) => {
        signal.throwIfAborted();
        return `(could not be read: ${thrown instanceof Error ? thrown.message : String(thrown)})`;
      });
      texts[at] = logOf(host, output);
      told((done += 1));
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, hosts.length) }, work));
  return texts;
}
