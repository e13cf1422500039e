/** Calls about workflows and their runs. */

import { answer, client } from './http';
import type { paths } from './schema';
import type { Noun } from './types';

type Signal = AbortSignal | undefined;

export type WorkflowSummary = Noun<'WorkflowSummary'>;
export type WorkflowView = Noun<'WorkflowView'>;
export type Workflow = Noun<'Workflow'>;
export type StepDef = Workflow['steps'][number];
export type WorkflowError = Noun<'WorkflowError'>;
export type Checked = Noun<'Checked'>;
export type Run = Noun<'RunView'>;
export type StepRun = Noun<'StepRun'>;
export type RunState = Run['state'];
export type StepState = StepRun['state'];

export type RunsQuery = NonNullable<paths['/api/v1/workflow-runs']['get']['parameters']['query']>;

const named = (name: string) => ({ path: { name } });
const at = (id: number) => ({ params: { path: { id } } });

export const workflows = (signal?: Signal) => answer(client.GET('/api/v1/workflows', { signal }));
export const workflow = (name: string, signal?: Signal) =>
  answer(client.GET('/api/v1/workflows/{name}', { params: named(name), signal }));
export const createWorkflow = (name: string, text: string) =>
  answer(client.POST('/api/v1/workflows', { body: { name, text } }));
export const putWorkflow = (name: string, text: string) =>
  answer(client.PUT('/api/v1/workflows/{name}', { params: named(name), body: { text } }));
export const deleteWorkflow = (name: string) =>
  answer(client.DELETE('/api/v1/workflows/{name}', { params: named(name) }));
export const checkWorkflow = (text: string, signal?: Signal) =>
  answer(client.POST('/api/v1/workflows/check', { body: { text }, signal }));
export const startRun = (name: string, pool: string) =>
  answer(client.POST('/api/v1/workflows/{name}/runs', { params: named(name), body: { pool } }));

export const runs = (query: RunsQuery, signal?: Signal) =>
  answer(client.GET('/api/v1/workflow-runs', { params: { query }, signal }));
export const run = (id: number, signal?: Signal) =>
  answer(client.GET('/api/v1/workflow-runs/{id}', { ...at(id), signal }));
export const cancelRun = (id: number) => answer(client.POST('/api/v1/workflow-runs/{id}/cancel', at(id)));
export const answerStep = (id: number, step: string, approve: boolean, comment: string) =>
  answer(client.POST('/api/v1/workflow-runs/{id}/approve', { ...at(id), body: { step, approve, comment } }));
