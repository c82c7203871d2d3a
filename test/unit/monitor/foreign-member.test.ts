/** What /clusterz makes of a nats-server that says little or nonsense of itself. */
import { expect, it } from "vitest";
import { foreignFields } from "../../../src/monitor/foreign-member.ts";

it("counts what is no figure as 0, and what is no list as empty", () => {
  const garbage = { server_id: "N1", now: "soon", start: 3, in_msgs: "many", cpu: {}, connections: null };
  const told = foreignFields(
    garbage,
    { routes: [null, 7, { rtt: 9, in_msgs: "x" }] },
    { account_statz: "none" },
  );
  expect(told).toMatchObject({ server_id: "N1", server_name: "", version: "", now_ms: 0, uptime_ms: 0 });
  expect(told).toMatchObject({ in_msgs: 0, cpu: 0, connections: 0, accounts: [] });
  expect(told["routes"]).toMatchObject([{ remote_id: "", count: 3, rtt_ms: 0, in_msgs: 0 }]);
});

it("leaves what came over routes out of accounts' messages, and puts the most used accounts first", () => {
  const flow = (msgs: number, routed: number): object => ({
    ...{ msgs, bytes: msgs * 10 },
    routes: { msgs: routed, bytes: routed * 10 },
  });
  const account = (acc: string, conns: number): object => ({
    ...{ acc, conns, num_subscriptions: 4, slow_consumers: 1 },
    ...{ sent: flow(9, 4), received: flow(3, 1) },
  });
  const told = foreignFields({}, {}, { account_statz: [account("A", 1), account("B", 2)] });
  const figures = { in_msgs: 2, out_msgs: 5, in_bytes: 20, out_bytes: 50, slow_consumers: 1 };
  expect(told["accounts"]).toEqual([
    { name: "B", connections: 2, subscriptions: 4, ...figures },
    { name: "A", connections: 1, subscriptions: 4, ...figures },
  ]);
});
