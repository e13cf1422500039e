import type { FormField } from './form';

/** The steps of making a pool. */
export const WIZARD_STEPS = ['hosts', 'access', 'software', 'overlay', 'review'] as const;
export type WizardStep = (typeof WIZARD_STEPS)[number];

/** Which fields stand in which step. */
export const STEP_FIELDS: Record<WizardStep, readonly FormField[]> = {
  hosts: ['name', 'description'],
  access: ['transport', 'ssh_user', 'install_path'],
  software: [],
  overlay: [
    'namespace',
    'tcp',
    'udp',
    'rpc',
    'visibility',
    'test',
    'kad_protocol',
    'bootstrap',
    'private_addresses',
    'mono_min',
    'nodes_per_host',
    'call_deadline_s',
    'security',
  ],
  review: [],
};
