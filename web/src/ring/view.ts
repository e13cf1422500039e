import { TRAVEL_FIELDS } from '../state/travel';
import { oneOf, text } from '../state/view';

/** What the address of the ring page holds, whichever way it is shown. */
export const RING_FIELDS = {
  show: oneOf(['ring', 'nodes', 'disagreements'], 'ring'),
  node: text(),
  ...TRAVEL_FIELDS,
};
