/** The release "nats" of the chart in a namespace of its own, and what is expected of it. */
import { expect, test } from "vitest";
import { eventually, Namespace, type WitnessReport } from "../support/kubernetes.ts";

export const POD = (n: number): string => `nats-shoal-${n}`;
export const AT = (n: number): string => `${POD(n)}.nats-shoal-headless:4222`;
export const SERVICE = "nats-shoal:4222";

/** A test that gets a namespace, gone when it is over. */
export const it = test.extend<{ namespace: Namespace }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads from the pattern that nothing else is needed
  namespace: async ({}, use) => {
    await using namespace = await Namespace.create();
    await use(namespace);
  },
});

/** Waits until the release has so many pods, all ready and with routes to one another. */
export async function fullMesh(namespace: Namespace, count: number): Promise<void> {
  const pods = Array.from({ length: count }, (_, n) => POD(n));
  await eventually(async () => expect((await namespace.pods("nats")).sort()).toEqual(pods));
  await namespace.kubectl("rollout", "status", "statefulset/nats-shoal", "--timeout=120s");
  await namespace.meshed(pods);
}

/** Between servers that stay, nothing is lost and nobody notices. */
export function expectSteady(report: WitnessReport): void {
  expect(report).toMatchObject({ failed: 0, problems: [], duplicates: 0 });
  expect(report.reconnects).toMatchObject({ publisher: 0, subscriber: 0 });
  expect(report.received).toBe(report.published);
  expect(report.published).toBeGreaterThan(0);
  expect(report.requests).toBeGreaterThan(0);
}

/** Nor did a client that may be anywhere move. */
export function expectUnmoved(report: WitnessReport): void {
  expectSteady(report);
  expect(report.reconnects).toMatchObject({ roaming: 0, requester: 0 });
}
