/** Pods that their StatefulSet no longer wants, and that ended without leaving. */
import { expect, it } from "vitest";
import { GonePods } from "../../../src/app/gone-pods.ts";
import { hashName } from "../../../src/base/base62.ts";
import { VirtualClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";

const MINUTE_MS = 60_000;
const peerOf = (ordinal: number): string => hashName(`a-nats-${ordinal}`);

function watch(replicas: number, missing: () => readonly string[] | null) {
  const clock = new VirtualClock();
  const removed: string[] = [];
  let reads = 0;
  const gone = new GonePods({
    pod: { namespace: "ns", statefulSet: "nats", ordinal: 0 },
    serverName: "a-nats-0",
    clock,
    logger: silentLogger,
    missing,
    remove: (peer) => void removed.push(peer),
    read: () => {
      reads++;
      return Promise.resolve({ spec: { replicas } });
    },
  });
  /** Minutes go by, and what was asked is answered. */
  const pass = async (minutes: number): Promise<void> => {
    for (let n = 0; n < minutes; n++) {
      clock.advance(MINUTE_MS);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    }
  };
  return { gone, pass, removed, reads: () => reads };
}

it("removes a pod that is not wanted and has been missing for ten minutes, and none that is", async () => {
  const { gone, pass, removed, reads } = watch(3, () => [peerOf(2), peerOf(4), hashName("other")]);
  await pass(10);
  expect([removed, reads()]).toEqual([[], 0]);
  await pass(1);
  expect(removed).toEqual([peerOf(4)]);
  gone[Symbol.dispose]();
});

it("counts from the beginning when the pod was seen, or another server leads", async () => {
  let missing: readonly string[] | null = [peerOf(4)];
  const { gone, pass, removed } = watch(3, () => missing);
  await pass(8);
  missing = null;
  await pass(1);
  missing = [peerOf(4)];
  await pass(10);
  expect(removed).toEqual([]);
  await pass(1);
  expect(removed).toEqual([peerOf(4)]);
  gone[Symbol.dispose]();
});
