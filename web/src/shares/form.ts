import type { NewShare, Places, Share, ShareView } from '../api/sharing';

/** What a link can show, in the order of the page. */
export const VIEWS: { view: ShareView; label: string; hint: string }[] = [
  { view: 'map', label: 'Map', hint: 'the nodes on the world map' },
  { view: 'nodes', label: 'Nodes', hint: 'the table of the nodes' },
  { view: 'stats', label: 'Statistics', hint: 'charts and one line for each crawl' },
  { view: 'csv', label: 'Files', hint: 'what is shown may be downloaded as CSV' },
];

/** How exactly a link can tell where nodes are, with what a visitor sees, and in short for a list. */
export const PLACES: { places: Places; label: string; short: string; sees: string }[] = [
  { places: 'none', label: 'not at all', short: 'no places', sees: 'Visitors see no places.' },
  {
    places: 'degree',
    label: 'to a degree, some 100 km',
    short: 'places to a degree',
    sees: 'Visitors see the region of each node: places are rounded to whole degrees.',
  },
  {
    places: 'city',
    label: 'to the city, some 10 km',
    short: 'places to the city',
    sees: 'Visitors see the city of each node: places are rounded to tenths of a degree.',
  },
  {
    places: 'exact',
    label: 'as exactly as you see it',
    short: 'exact places',
    sees: 'Visitors see each node where your own map has it, to some 1 km.',
  },
];

/** What the manager takes at most. */
const NAMESPACES_MAX = 32;
const NAMESPACE_BYTES_MAX = 255;

/** Ends that are chosen most, in days; none: when it is revoked. */
export const ENDS: { days: number | undefined; label: string }[] = [
  { days: 1, label: 'after a day' },
  { days: 7, label: 'after a week' },
  { days: 30, label: 'after 30 days' },
  { days: 365, label: 'after a year' },
  { days: undefined, label: 'when it is revoked' },
];

/** A link as a person chooses it. */
export interface ShareForm {
  name: string;
  views: ShareView[];
  hosts: boolean;
  /** How exactly it tells where nodes are; undefined: as its hosts, which tell where they are, too. */
  places: Places | undefined;
  /** Only nodes of these, one a line; empty: of all. */
  namespaces: string;
  /** Days after which it ends, as text; empty: never by itself. */
  ends: string;
  /** Days as date fields write them; empty: no limit. */
  from: string;
  to: string;
  /** Web sites, one a line. */
  embed: string;
}

export function emptyShare(pool: string, view: ShareView): ShareForm {
  const label = VIEWS.find((one) => one.view === view)?.label ?? '';
  return {
    name: `${label} of ${pool}`,
    views: [view],
    hosts: false,
    places: undefined,
    namespaces: '',
    ends: '30',
    from: '',
    to: '',
    embed: '',
  };
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the manager is told. */
export function newShare(form: ShareForm, now: number): NewShare {
  return {
    name: form.name.trim(),
    views: VIEWS.map(({ view }) => view).filter((view) => form.views.includes(view)),
    hosts: form.hosts,
    places: placesOf(form),
    namespaces: namespacesIn(form.namespaces),
    embed: form.embed.split(/[\s,]+/).filter((site) => site !== ''),
    from: form.from === '' ? null : startOf(form.from, 0),
    to: form.to === '' ? null : startOf(form.to, 1),
    expires: form.ends === '' ? null : new Date(now + Number(form.ends) * DAY_MS).toISOString(),
  };
}

/** How exactly a link tells where nodes are, also one that does not say it. */
export const placesOf = ({
  hosts,
  places,
}: Pick<ShareForm, 'hosts'> & { places?: Places | null | undefined }) =>
  places ?? (hosts ? 'exact' : 'degree');

/** Namespaces as they are typed, each once: their names may hold spaces and commas. */
export function namespacesIn(text: string): string[] {
  const names = text.split('\n').map((name) => name.trim());
  return [...new Set(names)].filter((name) => name !== '');
}

export type ShareErrors = Partial<Record<'places' | 'namespaces', string>>;

/** What the manager would refuse, by field. */
export function shareErrors(form: ShareForm): ShareErrors {
  const errors: ShareErrors = {};
  if (placesOf(form) === 'none' && form.views.includes('map')) {
    errors.places = 'A map without places shows nothing: leave out the map, or tell places.';
  }
  const names = namespacesIn(form.namespaces);
  const long = names.find((name) => new TextEncoder().encode(name).length > NAMESPACE_BYTES_MAX);
  if (names.length > NAMESPACES_MAX) errors.namespaces = `At most ${NAMESPACES_MAX} namespaces.`;
  else if (long !== undefined) errors.namespaces = `At most ${NAMESPACE_BYTES_MAX} bytes each.`;
  return errors;
}

/** What a link holds back or tells beside its views, for a list of links. */
export function limitsOf(share: Pick<Share, 'hosts' | 'places' | 'namespaces' | 'from' | 'to'>): string[] {
  const places = placesOf(share);
  const namespaces = share.namespaces ?? [];
  return [
    PLACES.find((one) => one.places === places)?.short ?? places,
    ...(namespaces.length > 0 ? [`only ${namespaces.join(', ')}`] : []),
    ...(share.from || share.to ? ['some dates'] : []),
  ];
}

/** The beginning of a day here, or of the one after it. */
function startOf(text: string, later: number): string {
  const [year = 1970, month = 1, date = 1] = text.split('-').map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}

/** Why a link shows nothing any more, if it does not. */
export function endOf(
  share: Pick<Share, 'revoked' | 'expires'>,
  now: number,
): 'revoked' | 'ended' | undefined {
  if (share.revoked !== null) return 'revoked';
  return share.expires !== null && Date.parse(share.expires) <= now ? 'ended' : undefined;
}

/** How a web site shows the link in a frame. */
export function frameText(url: string, name: string): string {
  const quoted = (text: string) =>
    text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<iframe src="${quoted(url)}" title="${quoted(name)}" width="800" height="500" loading="lazy"></iframe>`;
}
