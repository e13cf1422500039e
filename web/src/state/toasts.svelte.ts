import { asApiError, type ApiError } from '../api/error';

export interface Toast {
  id: number;
  text: string;
  link: { href: string; text: string } | undefined;
  error: ApiError | undefined;
}

/** How long a toast that is no error stays, in milliseconds. */
const SHOWN_MS = 6_000;
const TOASTS_MAX = 5;

/** Short messages at the edge of the page. Errors stay until they are closed. */
class Toasts {
  list = $state.raw<Toast[]>([]);
  #id = 0;
  #paused = false;

  say(text: string, link?: Toast['link']): void {
    const id = this.#add(text, link, undefined);
    this.#closeLater(id);
  }

  fail(what: string, thrown: unknown): void {
    this.#add(what, undefined, asApiError(thrown));
  }

  close(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  /** While the pointer rests on them, toasts stay. */
  pause(paused: boolean): void {
    this.#paused = paused;
  }

  #add(text: string, link: Toast['link'], error: ApiError | undefined): number {
    const id = ++this.#id;
    this.list = [...this.list, { id, text, link, error }].slice(-TOASTS_MAX);
    return id;
  }

  #closeLater(id: number): void {
    window.setTimeout(() => (this.#paused ? this.#closeLater(id) : this.close(id)), SHOWN_MS);
  }
}

export const toasts = new Toasts();
