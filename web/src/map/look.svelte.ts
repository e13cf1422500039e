import { mapSettings } from '../api/calls';
import type { MapSettings } from '../api/types';

/** How maps look when nobody said otherwise, and when it can't be read. */
const PLAIN: MapSettings = {
  tiles: null,
  attribution: '',
  attribution_url: null,
  zoom_max: 18,
  hide_borders: false,
};

/**
 * How the manager wants maps to look. It is read once: from which server a page may get tiles is decided when
 * the browser loads it, so tiles of a server that was chosen since would only be refused.
 */
class Look {
  #settings = $state.raw<MapSettings>();
  #asked = false;

  /** Nothing while it is read. */
  get settings(): MapSettings | undefined {
    return this.#settings;
  }

  /** Reads it, unless that was done. Without an answer maps are plain. */
  async read(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    try {
      this.#settings = await mapSettings();
    } catch {
      this.#settings = PLAIN;
      this.#asked = false;
    }
  }

  /** It was changed here, without another server for tiles. */
  changed(settings: MapSettings): void {
    this.#settings = settings;
    this.#asked = true;
  }
}

export const look = new Look();
