/** Sets the document's title: `planet · Nodes — P2PPool`. Call it in a component's script. */
export function titled(parts: () => string[]): void {
  $effect(() => {
    document.title = [parts().join(' · '), 'P2PPool'].filter((part) => part !== '').join(' — ');
  });
}
