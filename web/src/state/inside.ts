/** Stands for the manager while an address is taken apart; nothing is ever asked there. */
const HERE = 'http://manager.invalid/';
/** What the manager takes; a longer address is not kept through a login. */
const NEXT_MAX = 2000;

/**
 * Where a login may lead: `next`, relative to the application's base, when it is a page inside it; else the first page.
 * Whatever a link says, it never leads to another site.
 */
export function inside(next: string): string {
  if (next.length > NEXT_MAX || /^\/|[\\\p{Cc}]/u.test(next)) return '';
  let url: URL;
  try {
    url = new URL(next, `${HERE}base/`);
  } catch {
    return '';
  }
  const path = url.pathname;
  if (url.origin !== new URL(HERE).origin || url.username !== '' || url.password !== '') return '';
  if (!path.startsWith('/base/') || path.startsWith('/base//') || path.startsWith('/base/api/')) return '';
  return path.slice('/base/'.length) + url.search + url.hash;
}
