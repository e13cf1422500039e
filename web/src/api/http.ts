import { asApiError, errorOf } from './error';

/** Address of the API, wherever the manager serves the application. */
export const apiBase = new URL('api/v1/', document.baseURI).href;

export type Query = Record<string, string | number | boolean | null | undefined>;

/** Address of an API path; values that are empty are left out. */
export function apiUrl(path: string, query: Query = {}): string {
  const url = new URL(path, apiBase);
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') url.searchParams.set(key, String(value));
  }
  return url.href;
}

/** One path segment made of any text. */
export const segment = encodeURIComponent;

interface Sent {
  query?: Query;
  json?: unknown;
  text?: string;
  signal?: AbortSignal | undefined;
}

/** Called when the manager says that nobody is logged in. */
let onUnauthorized = () => {};
export function whenUnauthorized(act: () => void): void {
  onUnauthorized = act;
}

async function send(method: string, path: string, sent: Sent): Promise<Response> {
  const body = sent.json !== undefined ? JSON.stringify(sent.json) : sent.text;
  const headers: Record<string, string> = { accept: 'application/json' };
  if (sent.json !== undefined) headers['content-type'] = 'application/json';
  if (sent.text !== undefined) headers['content-type'] = 'text/plain; charset=utf-8';
  const init: RequestInit = { method, headers, credentials: 'same-origin' };
  if (body !== undefined) init.body = body;
  if (sent.signal) init.signal = sent.signal;
  const answer = await fetch(apiUrl(path, sent.query), init).catch((thrown: unknown) => {
    throw (thrown as { name?: string }).name === 'AbortError' ? thrown : asApiError(thrown);
  });
  if (answer.ok) return answer;
  const error = errorOf(answer.status, await answer.json().catch(() => null));
  if (error.status === 401 && path !== 'login') onUnauthorized();
  throw error;
}

/** Sends a request and reads its JSON answer; throws an `ApiError`. */
export async function request<T>(method: string, path: string, sent: Sent = {}): Promise<T> {
  const answer = await send(method, path, sent);
  const text = await answer.text();
  return (text === '' ? null : JSON.parse(text)) as T;
}

/** Like `request`, for answers that are plain text. */
export async function requestText(path: string, sent: Sent = {}): Promise<string> {
  return (await send('GET', path, sent)).text();
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
