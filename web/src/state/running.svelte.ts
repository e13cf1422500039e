import * as api from '../api/calls';
import type { Task } from '../api/types';
import { live } from './live.svelte';
import { session } from './session.svelte';

/** Ids of the tasks that wait or run, over all pools: the number beside "Tasks". */
class RunningTasks {
  #ids = $state.raw<ReadonlySet<number>>(new Set());

  constructor() {
    $effect.root(() => {
      $effect(() => {
        if (session.person) void this.#read();
      });
    });
    live.listen((events) => {
      for (const event of events) {
        if (event.type === 'task') this.#see(event.task);
        else if (event.type === 'reread') void this.#read();
      }
    });
  }

  get count(): number {
    return this.#ids.size;
  }

  #see(task: Task): void {
    const ids = new Set(this.#ids);
    if (task.state === 'queued' || task.state === 'running') ids.add(task.id);
    else ids.delete(task.id);
    this.#ids = ids;
  }

  async #read(): Promise<void> {
    const pages = await Promise.all(
      ['queued', 'running'].map((state) => api.tasks({ state, limit: 1000 }).catch(() => undefined)),
    );
    this.#ids = new Set(pages.flatMap((page) => page?.items ?? []).map((task) => task.id));
  }
}

export const runningTasks = new RunningTasks();
