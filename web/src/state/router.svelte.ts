import { routeOf, type Route } from './routes';
import { parseView, renderView, type Fields, type Values } from './view';

const base = new URL(document.baseURI).pathname;

/** The address the person is at. */
class Router {
  #url = $state.raw(new URL(location.href));

  constructor() {
    window.addEventListener('popstate', () => (this.#url = new URL(location.href)));
    document.addEventListener('click', (e) => this.#followLink(e));
  }

  get route(): Route {
    return routeOf(this.path);
  }

  /** Path relative to the application's base, without a leading slash. */
  get path(): string {
    const path = this.#url.pathname;
    return path.startsWith(base) ? path.slice(base.length) : path.replace(/^\//, '');
  }

  get query(): URLSearchParams {
    return this.#url.searchParams;
  }

  /** Path and query, relative to the base: what leads back here. */
  get here(): string {
    return this.path + this.#url.search;
  }

  /** Goes to a path relative to the base; `replace` keeps it out of the history (typing, redirects). */
  go(path: string, how: 'push' | 'replace' = 'push'): void {
    const url = new URL(path === '' ? base : path, document.baseURI);
    if (url.href === this.#url.href) return;
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', url);
    this.#url = url;
  }

  /** The values of a view's fields at this address. */
  view<F extends Fields>(fields: F): Values<F> {
    return parseView(fields, this.query);
  }

  /** Changes some of a view's fields in this address. */
  setView<F extends Fields>(fields: F, changes: Partial<Values<F>>, how: 'push' | 'replace' = 'push'): void {
    const query = renderView(fields, { ...this.view(fields), ...changes });
    this.go(query === '' ? this.path : `${this.path}?${query}`, how);
  }

  /** Plain clicks on links that stay inside the application don't load a page. */
  #followLink(e: MouseEvent): void {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const link = e.target instanceof Element ? e.target.closest('a') : null;
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (!link.pathname.startsWith(base) || link.pathname.startsWith(`${base}api/`)) return;
    e.preventDefault();
    this.go(link.pathname.slice(base.length) + link.search);
  }
}

export const router = new Router();
