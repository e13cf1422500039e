import { partOf, tileUrl, type PlacedTile } from './tiles';

/** What is kept of a tile's picture. */
type Kept<P> = { state: 'loading' | 'failed' } | { state: 'here'; picture: P };

/** Pictures that are kept: several views of a large screen, some 50 MB when drawn. */
export const TILES_KEPT_MAX = 512;
/** Pictures asked for at once; a browser opens no more connections to one server. */
export const TILES_LOADING_MAX = 6;

/** Reads the picture at an address; fails when there is none. */
export type ReadPicture<P> = (url: string) => Promise<P>;

/** The picture that is nearest to a tile, with the part of it to draw. */
export interface Found<P> {
  picture: P;
  /** Left, top and size within the picture, as shares of its width. */
  left: number;
  top: number;
  size: number;
}

/** Pictures of tiles of one server. Only what is in sight is asked for; what failed is not asked for again. */
export class TileStore<P> {
  #kept = new Map<string, Kept<P>>();
  #wanted: readonly PlacedTile[] = [];
  #loading = 0;

  constructor(
    readonly template: string,
    readonly read: ReadPicture<P>,
    /** A picture came, or it is known that it doesn't. */
    readonly changed: () => void,
  ) {}

  /** Tiles in sight from now on, the most wanted first; those of an earlier view that nobody asked for yet are dropped. */
  want(tiles: readonly PlacedTile[]): void {
    this.#wanted = tiles;
    this.#ask();
  }

  /** Some tile of the view did not come. */
  get failing(): boolean {
    return this.#wanted.some((tile) => this.#kept.get(this.#url(tile))?.state === 'failed');
  }

  get kept(): number {
    return this.#kept.size;
  }

  /** The tile's own picture, or a part of a coarser one that is there. */
  find(tile: PlacedTile): Found<P> | undefined {
    for (let z = tile.z; z >= 0; z -= 1) {
      const { x, y, left, top, size } = partOf({ z, pixels: 1 }, tile);
      const url = this.#url({ z, x, y });
      const kept = this.#kept.get(url);
      if (kept?.state !== 'here') continue;
      this.#touch(url, kept);
      return { picture: kept.picture, left, top, size };
    }
    return undefined;
  }

  #url(tile: Pick<PlacedTile, 'z' | 'x' | 'y'>): string {
    return tileUrl(this.template, tile);
  }

  #ask(): void {
    for (const tile of this.#wanted) {
      if (this.#loading >= TILES_LOADING_MAX) return;
      const url = this.#url(tile);
      if (!this.#kept.has(url)) void this.#load(url);
    }
  }

  async #load(url: string): Promise<void> {
    this.#loading += 1;
    this.#touch(url, { state: 'loading' });
    const kept = await this.read(url).then(
      (picture): Kept<P> => ({ state: 'here', picture }),
      (): Kept<P> => ({ state: 'failed' }),
    );
    this.#touch(url, kept);
    this.#loading -= 1;
    this.#ask();
    this.changed();
  }

  /** Keeps it as the newest, and forgets the oldest. */
  #touch(url: string, kept: Kept<P>): void {
    this.#kept.delete(url);
    this.#kept.set(url, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= TILES_KEPT_MAX) return;
      this.#kept.delete(oldest);
    }
  }
}

/** A picture in this browser. Its server is told which manager asks (many demand that), never which page. */
export function readImage(url: string): Promise<HTMLImageElement> {
  return new Promise((read, failed) => {
    const image = new Image();
    image.referrerPolicy = 'strict-origin';
    image.addEventListener('load', () => read(image));
    image.addEventListener('error', () => failed(new Error(`no picture at ${url}`)));
    image.src = url;
  });
}
