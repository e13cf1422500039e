/** Browsers by what they call themselves; the most special first, since most also name others. */
const BROWSERS: [mark: string, name: string][] = [
  ['Edg/', 'Edge'],
  ['OPR/', 'Opera'],
  ['Firefox/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
];
const SYSTEMS: [mark: string, name: string][] = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS X', 'macOS'],
  ['Linux', 'Linux'],
];

/** What people call a browser that says of itself `agent`; a program's own words where it is none. */
export function browserOf(agent: string): string {
  const of = (list: [string, string][]) => list.find(([mark]) => agent.includes(mark))?.[1];
  const browser = of(BROWSERS);
  if (!browser) return agent.trim() === '' ? 'unknown' : agent.slice(0, 40);
  const system = of(SYSTEMS);
  return system ? `${browser} on ${system}` : browser;
}
