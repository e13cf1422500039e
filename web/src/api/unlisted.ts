/** Calls that the API's description does not list yet; their shapes are written by hand. */

import { answer, request, segment, upload } from './http';
import type { Action, Outcome, Task } from './types';

export interface Bundle {
  digest: string;
  /** The file name it was uploaded under, or `builtin`. */
  name: string;
  kind: 'libp2p' | 'brunet';
  size: number;
  program: string;
  version: string | null;
  arch: string | null;
  files: { path: string; size: number; executable: boolean }[];
  created: string;
}

export interface ClientConfig {
  name: string;
  media_type: string;
  text: string;
}

type Signal = AbortSignal | undefined;

export const bundles = (signal?: Signal) => answer(request<Bundle[]>('GET', 'bundles', undefined, signal));
export const uploadBundle = (file: File, progress: (share: number) => void) =>
  upload<Bundle>('bundles', { name: file.name }, file, progress);

export const start = (pool: string, action: Action, params: Record<string, unknown> = {}) =>
  answer(request<Task>('POST', `pools/${segment(pool)}/${action}`, params));
export const cancelTask = (id: number) => answer(request<Task>('POST', `tasks/${id}/cancel`, {}));
export const retryTask = (id: number, only?: Outcome[]) =>
  answer(request<Task>('POST', `tasks/${id}/retry`, only ? { only } : {}));

export const connect = (pool: string, signal?: Signal) =>
  answer(request<ClientConfig[]>('GET', `pools/${segment(pool)}/connect`, undefined, signal));
