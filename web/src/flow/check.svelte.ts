import { checkWorkflow, type Checked } from '../api/flow';
import { afterTyping } from '../state/afterTyping.svelte';
import type { Resource } from '../state/resource.svelte';

/** What the manager says of a text, kept up to date while somebody types. */
export function checked(text: () => string): Resource<Checked> {
  return afterTyping(() => {
    const asked = text();
    return asked.trim() === '' ? undefined : (signal) => checkWorkflow(asked, signal);
  });
}
