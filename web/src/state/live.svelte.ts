import { apiUrl } from '../api/http';
import type { Event } from '../api/types';
import { coalesce, KNOWN_EVENTS, parseEvent } from './events';
import { nextFreshness, type Freshness } from './freshness';

/** Listeners are told of events in batches, at most four a second. */
const BATCH_MS = 250;
/** Pause before a new connection when the browser has given up on its own, doubled each time. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 15_000;
/** More events than this in one batch are replaced by "read everything again". */
const BATCH_MAX = 2_000;
const TYPES = ['message', ...KNOWN_EVENTS];

type Listener = (events: Event[]) => void;

/** The tab's one connection to the manager's events. */
class Live {
  freshness = $state.raw<Freshness>({ state: 'connecting' });
  #source: EventSource | undefined;
  #listeners = new Set<Listener>();
  #batch: Event[] = [];
  #timer: number | undefined;
  #retryMs = RETRY_FIRST_MS;
  #wasOpen = false;
  #reopen: number | undefined;

  constructor() {
    // The machine slept or changed its network: the old connection may look alive for minutes.
    window.addEventListener('online', () => this.#source && this.retry());
  }

  open(): void {
    if (this.#source) return;
    const source = new EventSource(apiUrl('events'));
    this.#source = source;
    source.addEventListener('open', () => this.#opened());
    source.addEventListener('error', () => this.#broke(source));
    for (const type of TYPES) {
      source.addEventListener(type, (e) => this.#received(e as MessageEvent<string>));
    }
  }

  close(): void {
    window.clearTimeout(this.#reopen);
    this.#source?.close();
    this.#source = undefined;
    this.#wasOpen = false;
    this.freshness = { state: 'connecting' };
  }

  /** Connects at once instead of after the pause. */
  retry(): void {
    this.#source?.close();
    this.#source = undefined;
    window.clearTimeout(this.#reopen);
    this.open();
  }

  /** Calls `listener` with batches of events until the returned function is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tick(now: number): void {
    this.freshness = nextFreshness(this.freshness, 'tick', now);
  }

  #opened(): void {
    this.freshness = nextFreshness(this.freshness, 'opened', Date.now());
    this.#retryMs = RETRY_FIRST_MS;
    // What happened meanwhile may be more than the manager remembers.
    if (this.#wasOpen) this.#add({ id: 0, at: '', pool: null, type: 'reread' });
    this.#wasOpen = true;
  }

  #broke(source: EventSource): void {
    this.freshness = nextFreshness(this.freshness, 'broke', Date.now());
    if (source.readyState !== EventSource.CLOSED || source !== this.#source) return;
    this.#source = undefined;
    this.#reopen = window.setTimeout(() => this.open(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  #received(message: MessageEvent<string>): void {
    const event = parseEvent(message.data);
    if (event) this.#add(event);
  }

  #add(event: Event): void {
    if (this.#batch.length < BATCH_MAX) this.#batch.push(event);
    else this.#batch = [{ id: event.id, at: event.at, pool: null, type: 'reread' }];
    this.#timer ??= window.setTimeout(() => this.#flush(), BATCH_MS);
  }

  #flush(): void {
    this.#timer = undefined;
    const events = coalesce(this.#batch);
    this.#batch = [];
    for (const listener of this.#listeners) listener(events);
  }
}

export const live = new Live();

/** Listens for as long as the component that calls it lives. */
export function onLive(listener: Listener): void {
  $effect(() => live.listen(listener));
}
