/** The steps of a host in a task, in the order of work. */
export const STEP_ORDER = [
  'connect',
  'status',
  'receive',
  'configure',
  'activate',
  'start',
  'verify',
  'stop',
  'remove',
  'logs',
  'data',
  'usage',
];
