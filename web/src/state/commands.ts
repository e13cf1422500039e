import { POOL_TABS, poolPath } from './routes';

/** Something that the command palette can do. */
export interface Command {
  text: string;
  /** More about it, in grey. */
  hint?: string;
  /** Where it leads, or what it does. */
  href?: string;
  run?: () => void;
}

/** So many are offered at once. */
export const COMMANDS_SHOWN_MAX = 12;

/** The pages of these pools. */
export function poolCommands(pools: readonly string[]): Command[] {
  return pools.flatMap((pool) =>
    POOL_TABS.map((tab) => ({
      text: tab === 'overview' ? pool : `${pool} ${tab}`,
      hint: tab === 'overview' ? 'pool' : 'page of the pool',
      href: poolPath(pool, tab),
    })),
  );
}

/** The commands that fit what was typed, the best first. Every word must be found. */
export function findCommands(commands: readonly Command[], typed: string): Command[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const scored = commands.flatMap((command) => {
    const score = scoreOf(command.text.toLowerCase(), words);
    return score === undefined ? [] : [{ command, score }];
  });
  scored.sort((a, b) => b.score - a.score);
  return scored.slice(0, COMMANDS_SHOWN_MAX).map(({ command }) => command);
}

/** Words at the beginning count most, then the beginnings of words, then anything; short texts win. */
function scoreOf(text: string, words: readonly string[]): number | undefined {
  let score = -text.length / 1000;
  for (const word of words) {
    const at = text.indexOf(word);
    if (at === -1) return undefined;
    score += at === 0 ? 3 : text.includes(` ${word}`) ? 2 : 1;
  }
  return score;
}
