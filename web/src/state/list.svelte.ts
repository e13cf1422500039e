import type { Column, Order } from '../components/DataTable.svelte';
import { listFields, PAGE_ROWS, type ListSpec, type ListView } from './listFields';
import { preferences } from './preferences.svelte';
import { router } from './router.svelte';
import type { Fields } from './view';

/** A list as its address says: filter, order, page and columns. */
export class ListState<F extends Fields> {
  readonly spec: ListSpec<F>;
  readonly #fields: ReturnType<typeof listFields<F>>;

  constructor(spec: ListSpec<F>) {
    this.spec = spec;
    this.#fields = listFields(spec);
  }

  get view(): ListView<F> {
    return router.view(this.#fields) as unknown as ListView<F>;
  }

  /** Changes the address; whatever filters or sorts begins at the first page again. */
  set(changes: Partial<ListView<F>>, how: 'push' | 'replace' = 'push'): void {
    router.setView(this.#fields, changes as never, how);
  }

  filter(changes: Partial<ListView<F>>, how: 'push' | 'replace' = 'push'): void {
    this.set({ ...changes, page: 1 } as Partial<ListView<F>>, how);
  }

  /** The columns that are shown. The address wins over what the person chose before, so that a link shows the same to everybody. */
  get columns(): readonly Column[] {
    const chosen = this.chosen;
    return this.spec.columns.filter((column, i) => i === 0 || chosen.includes(column.key));
  }

  get chosen(): string[] {
    const kept = router.query.has('columns') ? null : preferences.columns(this.spec.name);
    return (kept === null ? undefined : this.#fields.columns.parse(kept)) ?? this.view.columns;
  }

  choose(keys: string[]): void {
    preferences.keepColumns(this.spec.name, keys.join(','));
    this.set({ columns: keys } as Partial<ListView<F>>, 'replace');
  }

  resetColumns(): void {
    this.choose([...this.#fields.columns.default]);
  }

  /** Order and text filter, as the manager wants them. */
  get order(): { q: string; sort: string; order: Order } {
    const { q, sort, order } = this.view;
    return { q, sort, order };
  }

  /** One page, as the manager wants it. */
  get slice(): { limit: number; offset: number } {
    return { limit: PAGE_ROWS, offset: (this.view.page - 1) * PAGE_ROWS };
  }
}
