/** How much configuration is read before it is refused. nats-server has no such bounds. */

/** All files of one configuration together, in bytes. */
export const CONFIG_BYTES_MAX = 8 * 1024 * 1024;
/** How deep `include` may nest. */
export const INCLUDE_DEPTH_MAX = 16;
/** How deep blocks and lists may nest. */
export const NESTING_DEPTH_MAX = 64;
/** Values of one configuration, each use of a variable counted with all that it stands for. */
const VALUES_MAX = 500_000;

/** The remaining budget of the configuration being read; shared by all its files. */
export interface Budget {
  bytes: number;
  values: number;
}

export function newBudget(): Budget {
  return { bytes: CONFIG_BYTES_MAX, values: VALUES_MAX };
}
