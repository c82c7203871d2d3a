/**
 * The order of what a server that starts says on routes, and of what a member does that hears it. No time passes in between: the clock
 * stands still.
 */
import { expect, it } from "vitest";
import { ClusterStack } from "../../../../fuzz/support/cluster-stack.ts";
import { Subscription } from "../../../../src/core/subscription.ts";
import type { MemoryWire } from "../../../../src/transport/memory.ts";
import { Stack } from "../../../property/stack.ts";

const OTHER = { host: "10.0.0.2", port: 6222 };
const OTHER_INFO =
  'INFO {"server_id":"NOTHER","server_name":"other","version":"2.15.3","host":"10.0.0.2","port":6222,"headers":true,' +
  '"max_payload":1048576,"cluster":"c","route_pool_size":3,"connect_urls":["10.0.0.2:4222"]}\r\n';
/** All accounts are carried by one connection. */
const WITHOUT_POOL = OTHER_INFO.replace('"route_pool_size":3,', "");

/** The lines that were sent, without what the test does not look at. */
async function words(wire: MemoryWire): Promise<string[]> {
  await Promise.resolve(); // what is written outside of a read goes out in a microtask
  return wire
    .takeText()
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) =>
      line.startsWith("INFO ") ? `INFO ${/"connect_urls":(\[[^\]]*\])/.exec(line)?.[1]}` : line,
    )
    .map((line) => line.replace(/^CONNECT .*/, "CONNECT"));
}

/** A server whose routes are up before its clients can connect. */
class Starting {
  urls: string[] = [];
  readonly stack = new ClusterStack({ ownConnectUrls: (side) => (side === "leaf" ? [] : this.urls) });

  constructor() {
    this.stack.port.holdRoutes();
  }

  listen(): void {
    this.urls = ["10.0.0.1:4222"];
    this.stack.port.beginRoutes();
  }

  /** A route to the other member, which has answered and greeted. */
  dial(): MemoryWire {
    this.stack.feed({ kind: "sourceChanged", source: "routes", origin: "explicit", peers: [OTHER] });
    const wire = this.stack.answer(this.stack.dialled[0]!);
    wire.receiveText(OTHER_INFO);
    return wire;
  }
}

it("greets the members that it dials before clients can connect, and tells them where as soon as they can", async () => {
  const server = new Starting();
  const wire = server.dial();
  expect(await words(wire)).toEqual(["CONNECT"]);
  server.listen();
  expect(await words(wire)).toEqual(['INFO ["10.0.0.1:4222"]', "PING"]);
  server.stack.end();
});

it("says nothing to a member that dials it before clients can connect, and tells it where as soon as they can", async () => {
  const server = new Starting();
  const wire = server.stack.accept();
  expect(await words(wire)).toEqual([]);
  server.listen();
  expect(await words(wire)).toEqual(['INFO ["10.0.0.1:4222"]']);
  server.stack.end();
});

it("closes connections that wait when it stops before clients could connect", async () => {
  const server = new Starting();
  const wires = [server.stack.accept(), server.dial()];
  server.stack.end();
  expect(wires.map(({ state }) => state)).not.toContain("open");
  const late = server.stack.accept();
  expect(late.state).not.toBe("open");
});

it("tells clients of a newcomer while its INFO is read", () => {
  const told: string[] = [];
  const stack: ClusterStack = new ClusterStack({
    onMembersChanged: () => void told.push(stack.port.otherConnectUrls("inside").join()),
  });
  const wire = stack.accept();
  wire.receiveText('CONNECT {"name":"NOTHER","cluster":"c","headers":true}\r\n');
  expect(told).toEqual([]);
  wire.receiveText(OTHER_INFO);
  expect(told).toEqual(["10.0.0.2:4222"]);
  stack.end();
});

it("tells clients of a newcomer before it tells the newcomer of interest", () => {
  const saidBefore: string[] = [];
  const stack: ClusterStack = new ClusterStack({
    onMembersChanged: () => void saidBefore.push(linesBegun(wire.takeText())),
  });
  const unsubscribe = subscribe(stack, "orders");
  const wire = stack.accept();
  wire.receiveText('CONNECT {"name":"NOTHER","cluster":"c","headers":true}\r\n');
  wire.takeText();
  wire.receiveText(WITHOUT_POOL);
  expect(saidBefore).toEqual([""]);
  expect(linesBegun(wire.takeText())).toBe("RS+");
  unsubscribe();
  stack.end();
});

/** Returns what ends it. */
function subscribe({ accounts }: ClusterStack, subject: string): () => void {
  const subscription = new Subscription(new Stack().client().session.receiver, subject, null, "1", null);
  accounts.global.subscribe(subscription);
  return () => accounts.global.unsubscribe(subscription);
}

function linesBegun(text: string): string {
  return text
    .split("\r\n")
    .map((line) => line.split(" ")[0])
    .filter((word) => word !== "")
    .join(" ");
}
