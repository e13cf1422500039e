/**
 * The state of a view (filter, sort, page, open panel …) as the query string of its address.
 * Values that are the default are left out, so a plain address means the plain view; values that
 * make no sense become the default, so a mangled link still opens.
 */

export interface Field<T> {
  default: T;
  /** Another value than the default leaves rows of a list out. */
  narrows?: boolean;
  parse(text: string): T | undefined;
  render(value: T): string;
}

export type Fields = Record<string, Field<unknown>>;
export type Values<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** Any text. */
export function text(fallback = ''): Field<string> {
  return { default: fallback, parse: (text) => text, render: (value) => value };
}

/** The number of a crawl, host …, as digits; an empty text is none. */
export function id(): Field<string> {
  return {
    default: '',
    parse: (text) => (/^\d{1,15}$/.test(text) ? text : undefined),
    render: (value) => value,
  };
}

/** What `id` holds, as the API takes it. */
export function idOf(text: string): number | undefined {
  return text === '' ? undefined : Number(text);
}

/** A field that leaves rows of a list out. */
export function narrowing<T>(field: Field<T>): Field<T> {
  return { ...field, narrows: true };
}

/** One of a few words. */
export function oneOf<T extends string>(options: readonly T[], fallback: T): Field<T> {
  return {
    default: fallback,
    parse: (text) => options.find((option) => option === text),
    render: (value) => value,
  };
}

/** A whole number from `min` to `max`. */
export function integer(fallback: number, min: number, max: number): Field<number> {
  return {
    default: fallback,
    parse: (text) => {
      const value = /^-?\d+$/.test(text) ? Number(text) : NaN;
      return value >= min && value <= max ? value : undefined;
    },
    render: String,
  };
}

/** A list of words out of `options`, in the order given; an empty text is an empty list. */
export function someOf<T extends string>(options: readonly T[], fallback: T[]): Field<T[]> {
  return {
    default: fallback,
    parse: (text) => text.split(',').flatMap((word) => options.find((option) => option === word) ?? []),
    render: (value) => value.join(','),
  };
}

/** The values that a query string gives these fields. */
export function parseView<F extends Fields>(fields: F, query: URLSearchParams): Values<F> {
  const entries = Object.entries(fields).map(([key, field]) => {
    const text = query.get(key);
    return [key, (text === null ? undefined : field.parse(text)) ?? field.default];
  });
  return Object.fromEntries(entries) as Values<F>;
}

/** The query string (without `?`) of these values. */
export function renderView<F extends Fields>(fields: F, values: Values<F>): string {
  const query = new URLSearchParams();
  for (const [key, field] of Object.entries(fields)) {
    const text = field.render(values[key]);
    if (text !== field.render(field.default)) query.set(key, text);
  }
  return query.toString();
}
