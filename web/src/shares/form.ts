import type { NewShare, Share, ShareView } from '../api/sharing';

/** What a link can show, in the order of the page. */
export const VIEWS: { view: ShareView; label: string; hint: string }[] = [
  { view: 'map', label: 'Map', hint: 'the nodes on the world map' },
  { view: 'nodes', label: 'Nodes', hint: 'the table of the nodes' },
  { view: 'stats', label: 'Statistics', hint: 'charts and one line for each crawl' },
  { view: 'csv', label: 'Files', hint: 'what is shown may be downloaded as CSV' },
];

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
    embed: form.embed.split(/[\s,]+/).filter((site) => site !== ''),
    from: form.from === '' ? null : startOf(form.from, 0),
    to: form.to === '' ? null : startOf(form.to, 1),
    expires: form.ends === '' ? null : new Date(now + Number(form.ends) * DAY_MS).toISOString(),
  };
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
