import createClient from 'openapi-fetch';

import { asApiError, errorOf } from './error';
import type { paths } from './schema';
import type { Complete } from './types';

const base = new URL('.', document.baseURI).href.replace(/\/$/, '');

/** Values for the query string of an address. */
export type Query = Record<string, string | number | boolean | null | undefined>;

/** Values that are empty are left out. */
function queryText(query: Query): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') params.set(key, String(value));
  }
  return params.toString();
}

/** The manager's API, typed by its own description. */
export const client = createClient<paths>({
  baseUrl: base,
  credentials: 'same-origin',
  querySerializer: (query) => queryText(query as Query),
});

/** The manager wants every change to repeat this cookie, which pages of other sites can't read. */
const repeated = { cookie: 'p2ppool_csrf', header: 'x-csrf-token' };

function csrf(): string {
  const cookie = document.cookie.split('; ').find((text) => text.startsWith(`${repeated.cookie}=`));
  return cookie?.slice(repeated.cookie.length + 1) ?? '';
}

client.use({
  onRequest({ request }) {
    if (request.method !== 'GET') request.headers.set(repeated.header, csrf());
    return request;
  },
});

/** How a plain text is sent as it is. */
export const asText = {
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  bodySerializer: (body: unknown) => String(body),
};

/** Address of an API path, wherever the manager serves the application. */
export function apiUrl(path: string, query: Query = {}): string {
  const text = queryText(query);
  return `${base}/api/v1/${path}${text === '' ? '' : `?${text}`}`;
}

/** One path segment made of any text. */
export const segment = encodeURIComponent;

/** Called when the manager says that nobody is logged in. */
let onUnauthorized = () => {};
export function whenUnauthorized(act: () => void): void {
  onUnauthorized = act;
}

interface Answered<D> {
  data?: D;
  error?: unknown;
  response: Response;
}

/** What a call answered; throws an `ApiError`, or the `AbortError` of a call that nobody waits for. */
export async function answer<D>(asked: Promise<Answered<D>>): Promise<Complete<D>> {
  const { data, error, response } = await asked.catch((thrown: unknown) => {
    throw (thrown as { name?: string }).name === 'AbortError' ? thrown : asApiError(thrown);
  });
  if (response.ok) return data as Complete<D>;
  const failed = errorOf(response.status, error);
  // A wrong password or code is no reason to log somebody out.
  if (failed.status === 401 && failed.code === 'unauthenticated') onUnauthorized();
  throw failed;
}

/** Uploads a file, telling the share (0 to 1) that is sent. `fetch` can't tell that, so it is XMLHttpRequest. */
export function upload<T>(
  path: string,
  query: Query,
  file: File,
  progress: (share: number) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open('POST', apiUrl(path, query));
    xhr.setRequestHeader('content-type', 'application/octet-stream');
    xhr.setRequestHeader(repeated.header, csrf());
    xhr.upload.addEventListener('progress', (e) => e.lengthComputable && progress(e.loaded / e.total));
    xhr.addEventListener('error', () => reject(asApiError(new TypeError('connection'))));
    xhr.addEventListener('load', () => {
      let body: unknown = null;
      try {
        body = JSON.parse(xhr.responseText);
      } catch {
        // The status tells enough.
      }
      if (xhr.status >= 200 && xhr.status < 300) resolve(body as T);
      else reject(errorOf(xhr.status, body));
    });
    xhr.send(file);
  });
}
