import { live } from './live.svelte';

/** The time that relative times are told by; moves once a second. */
class Clock {
  now = $state(Date.now());

  constructor() {
    window.setInterval(() => {
      this.now = Date.now();
      live.tick(this.now);
    }, 1000);
  }
}

export const clock = new Clock();
