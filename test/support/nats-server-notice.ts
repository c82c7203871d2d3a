/** A set-up of vitest that says at the end of a run which comparisons with nats-server say less than they could. */
import { noticeOnComparisons } from "./nats-server-binary.ts";

export function teardown(): void {
  const notice = noticeOnComparisons();
  if (notice !== null) process.stderr.write(`\n!!! ${notice}\n\n`);
}
