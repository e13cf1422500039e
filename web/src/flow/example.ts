/** What a new workflow begins with: something that does no harm and shows most of what steps can do. */
export const EXAMPLE = `description: Wait until the overlay is well, then look at every host
steps:
  - name: well
    wait: [nodes >= 95%, consistency >= 0.95]
    within: 10m
    on: { failure: tell }
  - name: look
    run: check
    on: { success: end, partial: tell, failure: tell }
  - name: tell
    notify: The overlay is not well
    on: { always: fail }
`;
