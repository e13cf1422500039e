import { checkWorkflow, type Checked } from '../api/flow';
import { resource, type Resource } from '../state/resource.svelte';

/** The text is looked at after a pause in typing, in milliseconds. */
const PAUSE_MS = 250;

/** What the manager says of a text, kept up to date while somebody types. */
export function checked(text: () => string): Resource<Checked> {
  return resource<Checked>(() => {
    const asked = text();
    if (asked.trim() === '') return undefined;
    return async (signal) => {
      await new Promise((go) => setTimeout(go, PAUSE_MS));
      signal.throwIfAborted();
      return checkWorkflow(asked, signal);
    };
  });
}
