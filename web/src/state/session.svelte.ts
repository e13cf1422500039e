import * as api from '../api/calls';
import { whenUnauthorized } from '../api/http';
import type { Person } from '../api/types';
import { live } from './live.svelte';
import { router } from './router.svelte';

/** Who is logged in. */
class Session {
  person = $state.raw<Person>();
  ready = $state(false);

  constructor() {
    whenUnauthorized(() => this.#askForLogin());
  }

  /** Asks the manager who this is; a person without a session is sent to the login page. */
  async load(): Promise<void> {
    try {
      this.person = (await api.me()).user ?? undefined;
      // Who has no account may look at public pools, if there are any.
      if (this.person || (await api.pools()).length > 0) live.open();
      else this.#askForLogin();
    } finally {
      this.ready = true;
    }
  }

  /** `code` is that of the second factor, for who has one. */
  async login(name: string, password: string, code: string | null): Promise<void> {
    this.person = (await api.login(name, password, code)).user ?? undefined;
    // A connection that was opened without an account tells less.
    live.close();
    live.open();
  }

  async logout(): Promise<void> {
    await api.logout();
    this.#askForLogin();
  }

  #askForLogin(): void {
    this.person = undefined;
    live.close();
    if (router.route.page === 'login') return;
    const next = router.here;
    router.go(next === '' ? 'login' : `login?next=${encodeURIComponent(next)}`, 'replace');
  }
}

export const session = new Session();
