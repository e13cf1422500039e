import type { Attachment } from 'svelte/attachments';

/**
 * Of a row of links that is scrolled on narrow windows: brings the one of the page that is shown into
 * sight, whenever `page` changes. Only the row moves, never the window.
 */
export function showsCurrent(page: string): Attachment<HTMLElement> {
  return (row) => {
    void page;
    const link = row.querySelector<HTMLElement>('[aria-current]');
    if (!link) return;
    const middle = link.offsetLeft + link.offsetWidth / 2;
    row.scrollLeft = middle - row.offsetLeft - row.clientWidth / 2;
  };
}
