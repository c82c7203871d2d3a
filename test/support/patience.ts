/**
 * How long a test waits for what it expects. Only a failing test waits as long: the bound ends what hangs, and says nothing
 * of how fast a server is. It is far above what a busy machine needs.
 */

export const PATIENCE_MS = 60_000;

/** For a test or hook that awaits several things. */
export const TEST_TIMEOUT_MS = 180_000;

/** The same for a request of an official client, which gives up after a second, or five, unless told otherwise. */
export const PATIENT = { timeout: PATIENCE_MS };
