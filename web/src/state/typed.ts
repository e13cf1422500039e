/** Between the keys of one word people pause less, in milliseconds. */
export const TYPING_PAUSE_MS = 150;

/** Passes on what somebody types: the first change at once, what follows soon after it when they pause. */
export interface Typed {
  type(text: string): void;
  /** Passes on at once what still waits. */
  flush(): void;
  /** Forgets what still waits. */
  cancel(): void;
}

export function typed(pass: (text: string) => void): Typed {
  let pause: ReturnType<typeof setTimeout> | undefined;
  let waiting: string | undefined;
  const cancel = () => {
    clearTimeout(pause);
    pause = waiting = undefined;
  };
  const flush = () => {
    const text = waiting;
    cancel();
    if (text !== undefined) pass(text);
  };
  const type = (text: string) => {
    if (pause === undefined) pass(text);
    else waiting = text;
    clearTimeout(pause);
    pause = setTimeout(flush, TYPING_PAUSE_MS);
  };
  return { type, flush, cancel };
}
