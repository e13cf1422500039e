import { alerts } from '../api/watching';
import { live } from './live.svelte';
import { session } from './session.svelte';

/** How many alerts are open, over all pools: the number beside "Alerts". */
class OpenAlerts {
  count = $state(0);

  constructor() {
    $effect.root(() => {
      $effect(() => {
        if (session.person) void this.#read();
        else this.count = 0;
      });
    });
    live.listen((events) => {
      if (events.some(({ type }) => type === 'alerts' || type === 'reread')) void this.#read();
    });
  }

  async #read(): Promise<void> {
    if (!session.person) return;
    // A number that can't be read is no news; the page of the alerts says why.
    const page = await alerts({ state: 'open', limit: 1 }).catch(() => undefined);
    if (page) this.count = page.total;
  }
}

export const openAlerts = new OpenAlerts();
