/** The official client over WebSocket: the same things as over TCP, through frames. */
import { connect, wsconnect, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";

async function startWithWebSocket(
  websocket: ConfigOverrides["websocket"] = {},
  rest: ConfigOverrides = {},
): Promise<InProcessServer & { readonly wsUrl: string }> {
  const started = await startInProcess({
    ...rest,
    websocket: { host: "127.0.0.1", port: 0, noTls: true, ...websocket },
  });
  return Object.assign(started, { wsUrl: `ws://127.0.0.1:${started.server.webSocketEndpoint!.port}` });
}

/** Collects `count` messages of a subject. */
async function collect(nc: NatsConnection, subject: string, count: number): Promise<Uint8Array[]> {
  const messages: Uint8Array[] = [];
  for await (const message of nc.subscribe(subject, { max: count })) messages.push(message.data);
  return messages;
}

describe.each([{ compression: false }, { compression: true }])("wsconnect, %o", (options) => {
  it("publishes and receives messages of every size around the lengths of frames", async () => {
    await using server = await startWithWebSocket(options);
    const nc = await wsconnect({ servers: server.wsUrl });
    const sizes = [0, 1, 100, 125, 126, 127, 4096, 65_535, 65_536, 65_537, 200_000, 1024 * 1024];
    const received = collect(nc, "sized", sizes.length);
    const sent = sizes.map((size) => new Uint8Array(size).map((_, i) => i * 31));
    for (const payload of sent) nc.publish("sized", payload);
    expect(
      (await received).map((payload) =>
        Buffer.compare(
          payload,
          sent.find(({ length }) => length === payload.length)!,
        ),
      ),
    ).toEqual(sizes.map(() => 0));
    await nc.close();
  });

  it("talks with clients over TCP, in bursts both ways", async () => {
    await using server = await startWithWebSocket(options);
    const overWebSocket = await wsconnect({ servers: server.wsUrl });
    const overTcp = await connect({ servers: server.url });
    const count = 5000;
    const there = collect(overTcp, "to.tcp", count);
    const back = collect(overWebSocket, "to.ws", count);
    await Promise.all([overWebSocket.flush(), overTcp.flush()]);
    for (let i = 0; i < count; i++) {
      overWebSocket.publish("to.tcp", `message ${i} ${"x".repeat(i % 300)}`);
      overTcp.publish("to.ws", `message ${i} ${"y".repeat(i % 300)}`);
    }
    const texts = (list: Uint8Array[]): string[] =>
      list.map((data) => Buffer.from(data).toString().split(" ")[1]!);
    const numbers = Array.from({ length: count }, (_, i) => String(i));
    expect(texts(await there)).toEqual(numbers);
    expect(texts(await back)).toEqual(numbers);
    await Promise.all([overWebSocket.close(), overTcp.close()]);
  });
});

it("is told of the WebSocket port, and shown as what it is", async () => {
  await using server = await startWithWebSocket();
  const nc = await wsconnect({ servers: server.wsUrl });
  expect(nc.info).toMatchObject({ host: "127.0.0.1", port: server.server.webSocketEndpoint!.port });
  const [client] = [...server.server.clients.connections()];
  expect(client!.snapshot().clientType).toBe("websocket");
  await nc.close();
});

it("needs what its own authorization says, and others what theirs says", async () => {
  await using server = await startWithWebSocket(
    { token: "for websocket" },
    { authorization: { token: "for tcp" } },
  );
  await expect(wsconnect({ servers: server.wsUrl, token: "for tcp", reconnect: false })).rejects.toThrow(
    /Authorization Violation/,
  );
  const nc = await wsconnect({ servers: server.wsUrl, token: "for websocket" });
  const other = await connect({ servers: server.url, token: "for tcp" });
  await Promise.all([nc.close(), other.close()]);
});

it("may be kept to users of WebSocket", async () => {
  const users = [
    { user: "browser", password: "b", connectionTypes: ["WEBSOCKET" as const] },
    { user: "service", password: "s", connectionTypes: ["STANDARD" as const] },
  ];
  await using server = await startWithWebSocket({}, { authorization: { users } });
  const browser = { user: "browser", pass: "b", reconnect: false };
  const service = { user: "service", pass: "s", reconnect: false };
  await expect(wsconnect({ servers: server.wsUrl, ...service })).rejects.toThrow(/Authorization Violation/);
  await expect(connect({ servers: server.url, ...browser })).rejects.toThrow(/Authorization Violation/);
  const nc = await wsconnect({ servers: server.wsUrl, ...browser });
  await nc.close();
});

it("moves to another server of the cluster, of which it was told", async () => {
  await using first = await startWithWebSocket({}, { cluster: { name: "c" } });
  const routes = [{ host: "127.0.0.1", port: first.routePort, user: null, password: null }];
  await using second = await startWithWebSocket({}, { cluster: { name: "c", routes } });
  const url = `127.0.0.1:${first.server.webSocketEndpoint!.port}`;
  const nc = await wsconnect({ servers: second.wsUrl, reconnectTimeWait: 10 });
  await waitFor("the address of the other server", () => nc.info?.connect_urls?.includes(url));
  expect(nc.info?.connect_urls).toHaveLength(2);
  second.server.stop();
  await waitFor("the move", () => nc.info?.port === first.server.webSocketEndpoint!.port);
  await nc.flush();
  await nc.close();
});
