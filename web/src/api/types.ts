/**
 * The nouns of the manager's API, by name. Their shapes are generated from the API's own
 * description (`npm run types`), so that a change of the server that breaks a page fails the build.
 */

import type { components } from './schema';

type Schemas = components['schemas'];

/**
 * The description calls every value that may be `null` optional; the manager always sends it.
 * `null` means unknown, never zero.
 */
export type Complete<T> = T extends object ? { [K in keyof T]-?: Complete<T[K]> } : T;

/** A noun of the API by the name that its description gives it. */
export type Noun<Name extends keyof Schemas> = Complete<Schemas[Name]>;

export type Action = Schemas['Action'];
export type NodeStatus = Schemas['NodeStatus'];
export type Outcome = Schemas['Outcome'];
export type Role = Schemas['Role'];
export type PoolState = Schemas['PoolState'];
export type Step = Schemas['Step'];
export type TaskState = Schemas['TaskState'];

export type Decision = Schemas['Decision'];
export type Rolling = Schemas['Rolling'];

export type Bundle = Noun<'Bundle'>;
export type Churn = Noun<'Churn'>;
export type ClientConfig = Noun<'ClientConfig'>;
export type ConfiguredHost = Noun<'ConfiguredHost'>;
export type Connect = Noun<'Connect'>;
export type Deployed = Noun<'Deployed'>;
export type DeployedList = Noun<'DeployedList'>;
export type DeployedState = Schemas['DeployedState'];
export type Fault = Schemas['Fault'];
export type Host = Noun<'Host'>;
export type HostKeys = Noun<'HostKeys'>;
export type HostList = Noun<'HostList'>;
export type HostSpec = Noun<'HostSpec'>;
export type KeyInfo = Noun<'KeyInfo'>;
export type JumpHost = Noun<'JumpHost'>;
export type JumpKeys = Noun<'JumpKeys'>;
export type KnownHosts = Noun<'KnownHostsResult'>;
export type ShownAccess = Noun<'ShownAccess'>;
export type SshConfig = Noun<'SshConfig'>;
export type SshFacts = Noun<'SshFacts'>;
export type SshAccess = Noun<'SshAccess'>;
export type LineError = Noun<'LineError'>;
export type MapPoints = Noun<'MapPoints'>;
export type MapSettings = Noun<'MapSettings'>;
export type Me = Noun<'Me'>;
export type Node = Noun<'Node'>;
export type NodeClass = Schemas['NodeClass'];
export type NodeHistory = Noun<'NodeHistory'>;
export type NodePage = Noun<'Nodes'>;
export type NodePresence = Noun<'NodePresence'>;
export type NodeSession = Noun<'NodeSession'>;
export type Person = Noun<'Person'>;
export type PinnedKey = Noun<'PinnedKey'>;
export type Pool = Noun<'Pool'>;
export type PoolFile = Noun<'PoolFile'>;
export type PoolSettings = Schemas['PoolSettings'];
export type PoolSummary = Noun<'PoolSummary'>;
export type GeoAnswer = Noun<'GeoAnswer'>;
export type GeoSettings = Schemas['GeoSettings'];
export type GeoState = Noun<'GeoState'>;
export type GateReading = Noun<'GateReading'>;
export type Rollout = Noun<'RolloutView'>;
export type Schedule = Noun<'ScheduleView'>;
/** What to change of a schedule; what is left out stays. */
export type SchedulePatch = Partial<
  Omit<Schemas['SchedulePatch'], 'starts'> & { starts: { action: Action } | { workflow: string } }
>;
export type ScheduleRun = Noun<'ScheduleRun'>;
/** A task with what it waits for. */
export type ShownTask = Noun<'ShownTask'>;
export type Snapshot = Noun<'Snapshot'>;
export type SnapshotDiff = Noun<'SnapshotDiff'>;
export type Stats = Noun<'Stats'>;
export type Task = Noun<'Task'>;
export type TaskHost = Noun<'TaskHost'>;
export type NewToken = Schemas['NewToken'];
export type Token = Noun<'Token'>;
export type Topology = Noun<'Topology'>;

/** Hosts of a task by outcome; an outcome that no host has is left out. */
export type Counts = Task['counts'];

export interface Page<T> {
  total: number;
  items: T[];
}

/** What changed, as one server-sent event says it. */
export type Event = Noun<'Event'>;
