/** What servers tell each other of the usage of accounts, by tiers, in nats-server's bytes. */
import { expect, it } from "vitest";
import * as fc from "fast-check";
import { VirtualClock } from "../../../src/base/clock.ts";
import { ClusterUsage, type ClusterUsageOptions } from "../../../src/jetstream/cluster-usage.ts";

type Listen = ClusterUsageOptions["transport"]["listen"];

/** Servers that hear each other. `tiers`: bytes in files by tier; null: the account has none, and so many. */
function servers(
  all: readonly { readonly tiers: ReadonlyMap<string, number> | null; readonly bytes: number }[],
) {
  const clock = new VirtualClock();
  const ears: Parameters<Listen>[1][] = [];
  const sent: Uint8Array[] = [];
  const transport = {
    listen: (_subject: string, take: Parameters<Listen>[1]) => {
      ears.push(take);
      return { [Symbol.dispose]: () => undefined };
    },
    send: (subject: string, reply: string, payload: Uint8Array) => {
      sent.push(payload);
      for (const ear of ears) ear(subject, reply, payload);
    },
  };
  const usages = all.map(({ tiers, bytes }, i) => {
    const assets = {
      limits: { tiers },
      counters: { total: 5, errors: 1 },
      usage: {
        bytesOf: (storage: string, tier: string) =>
          storage === "memory" ? 0 : tier === "" ? bytes : (tiers?.get(tier) ?? 0),
      },
    };
    const jetStream = { accounts: new Map([["A", { assets }]]) };
    const options = { self: `server${i}`, clock, transport, jetStream };
    const usage = new ClusterUsage(options as unknown as ClusterUsageOptions);
    usage.start();
    return usage;
  });
  const hear = (payload: Uint8Array): void => {
    for (const ear of ears) ear("$JSC.ARU.A.other", "", payload);
  };
  return { clock, usages, sent, hear };
}

it("is summed up, and told apart by tiers", () => {
  const tiers = new Map([
    ["R1", 10],
    ["R3", 20],
  ]);
  const { clock, usages } = servers(Array.from({ length: 3 }, () => ({ tiers, bytes: 30 })));
  clock.advance(1500);
  const [first] = usages;
  expect(first!.elsewhere("A")).toMatchObject({ storageBytes: 60, requests: 10, errors: 2 });
  expect(["", "R1", "R3", "R5"].map((tier) => first!.bytesElsewhere("A", "file", tier))).toEqual([
    60, 20, 40, 0,
  ]);
  expect(first!.bytesElsewhere("A", "memory", "")).toBe(0);
});

it("has nats-server's bytes where there are no tiers", () => {
  const { clock, usages, sent } = servers([
    { tiers: null, bytes: 7 },
    { tiers: null, bytes: 9 },
  ]);
  clock.advance(1500);
  expect(Buffer.from(sent[0]!).toString("hex")).toBe(
    `${"00".repeat(8)}07${"00".repeat(7)}05${"00".repeat(7)}01${"00".repeat(7)}${"00".repeat(12)}`,
  );
  expect(usages[0]!.bytesElsewhere("A", "file", "")).toBe(9);
});

it("is left alone where it is damaged", () => {
  const { clock, usages, sent, hear } = servers([
    { tiers: new Map([["R1", 1]]), bytes: 1 },
    {
      tiers: new Map([
        ["R1", 1],
        ["R3", 2],
      ]),
      bytes: 3,
    },
  ]);
  clock.advance(1500);
  const before = usages[0]!.elsewhere("A");
  const whole = sent[1]!;
  for (let length = 0; length < whole.length; length++) hear(whole.subarray(0, length));
  expect(usages[0]!.elsewhere("A")).toEqual(before);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => hear(bytes)));
});
