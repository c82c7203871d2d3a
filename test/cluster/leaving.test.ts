/** A server of a cluster that goes: what its clients hear, where they go, and that nothing is lost that need not be. */
import type { NatsConnection } from "@nats-io/transport-node";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { newNkey } from "../../src/keys/nkey.ts";
import { reaches, RunCounter } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Stage, whole, type RunningServer } from "./stage.ts";
import { PATIENT } from "../support/patience.ts";

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

/** Servers, whole; lame duck mode takes `duration`, the first client goes after `grace`. */
async function cluster(
  duration: string,
  grace: string,
  names: readonly string[] = ["one", "two"],
): Promise<{ stage: Stage; servers: RunningServer[] }> {
  const stage = new Stage();
  cleanup.push(() => stage[Symbol.asyncDispose]());
  const serverLines = [`lame_duck_duration: "${duration}"`, `lame_duck_grace_period: "${grace}"`];
  const servers = await stage.cluster(names.map((name) => ({ name, serverLines })));
  await whole(servers);
  return { stage, servers };
}

async function raw({ clientPort }: RunningServer): Promise<Socket> {
  const socket = connectTcp({ port: clientPort, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  cleanup.push(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

describe("a server that goes", () => {
  it("tells its clients of the others alone, and the others' clients not of itself", async () => {
    const { stage, servers } = await cluster("60s", "30s");
    const [one, two] = servers;
    const staying = await stage.client(two!);
    const infos: Record<string, unknown>[] = [];
    const socket = await raw(one!);
    socket.setEncoding("utf8").on("data", (text: string) => {
      for (const [, json] of text.matchAll(/INFO (\{.*\})/g)) infos.push(JSON.parse(json!));
    });
    socket.write('CONNECT {"protocol":1,"verbose":false}\r\nPING\r\n');
    await waitFor("the first INFO", () => infos.length > 0);
    void one!.server.lameDuck();
    const told = await waitFor("the hint", () => infos.find(({ ldm }) => ldm === true));
    expect(told["connect_urls"]).toEqual([`127.0.0.1:${two!.clientPort}`]);
    await waitFor("the others to tell it, too", () => {
      const urls = (staying.info as { connect_urls?: string[] } | undefined)?.connect_urls;
      return urls?.join() === `127.0.0.1:${two!.clientPort}`;
    });
  });

  it("hands on what a client sends until the client has ended its side", async () => {
    const { stage, servers } = await cluster("1s", "100ms");
    const [one, two] = servers;
    const listener = await stage.client(two!);
    const talker = await stage.client(one!);
    const run = new RunCounter(listener, "said");
    await reaches(talker, listener);
    const socket = await raw(one!);
    socket.write('CONNECT {"protocol":1,"verbose":false}\r\n');
    let sent = 0;
    const say = (): void => void socket.write(`PUB said ${String(sent).length}\r\n${sent++}\r\n`);
    const talk = setInterval(say, 1);
    cleanup.push(() => clearInterval(talk));
    socket.resume();
    const ended = once(socket, "end");
    void one!.server.lameDuck();
    await ended;
    clearInterval(talk);
    // A client that has not read the end yet still writes.
    for (let i = 0; i < 100; i++) say();
    socket.end();
    await run.received(sent);
    expect(run).toMatchObject({ count: sent, firstOutOfOrder: undefined });
  });

  it("gives a client what other servers had sent it before they heard that it goes", async () => {
    const { servers } = await cluster("20s", "100ms", ["one"]);
    const [one] = servers;
    const peer = await RawConnection.open(one!.clusterPort);
    const id = newNkey("server").publicKey;
    const info = {
      server_id: id,
      server_name: "peer",
      version: "2.14.0",
      proto: 1,
      host: "127.0.0.1",
      port: 1,
    };
    const greeting = { name: id, cluster: "C", headers: true, verbose: false };
    peer.send(
      `CONNECT ${JSON.stringify(greeting)}\r\nINFO ${JSON.stringify({ ...info, headers: true, cluster: "C" })}\r\nPING\r\n`,
    );
    await peer.has("PONG");
    const client = await RawConnection.greeted(one!.clientPort, { protocol: 1 });
    client.send("SUB late 1\r\nSUB late group 2\r\nPING\r\n");
    await peer.has("RS+ $G late group 1");
    const heardBefore = peer.text.length;
    void one!.server.lameDuck();
    // The peer is slow: it had sent these before it read that the client has left the group, and that is asked about.
    const since = (): string => peer.text.slice(heardBefore);
    await peer.until("the group to be left, and a PING", () =>
      /RS- \$G late group\r\n[^]*PING\r\n/.test(since()),
    );
    peer.send("RMSG $G late | group 6\r\nqueued\r\nRMSG $G late 5\r\nplain\r\nPONG\r\n");
    await client.closed();
    expect(client.text).toContain("MSG late 2 6\r\nqueued\r\n");
    expect(client.text).toContain("MSG late 1 5\r\nplain\r\n");
    peer.destroy();
  });

  it("loses no message to a queue group that has a member elsewhere", async () => {
    const { stage, servers } = await cluster("1s", "100ms", ["one", "two", "three"]);
    const [one, two, three] = servers;
    const got: string[] = [];
    const work = async (worker: NatsConnection): Promise<void> => {
      worker.subscribe("work", { queue: "q", callback: (_, message) => void got.push(message.string()) });
      await worker.flush();
    };
    const [leaving, staying, publisher] = [
      await stage.client(one!),
      await stage.client(two!),
      await stage.client(three!), // has no worker, which would be preferred
    ];
    await Promise.all([work(leaving), work(staying)]);
    await reaches(publisher, leaving);
    let sent = 0;
    let isOver = false;
    void leaving.closed().then(() => (isOver = true));
    void one!.server.lameDuck();
    while (!isOver) {
      for (let i = 0; i < 50; i++) publisher.publish("work", String(sent++));
      await publisher.flush();
    }
    await waitFor("all work", () => got.length >= sent);
    await publisher.flush();
    expect(got.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
  });

  it("leaves one of two who answer together, while the other one moves", async () => {
    const { stage, servers } = await cluster("10s", "100ms");
    const [one, two] = servers;
    const moves = {
      reconnect: true,
      reconnectTimeWait: 20, // else one who has connected just now waits
      reconnectJitter: 20,
      noRandomize: true,
      servers: servers.map(({ clientPort }) => `127.0.0.1:${clientPort}`),
    };
    const answering = [await stage.client(one!, moves), await stage.client(one!, moves)];
    for (const each of answering) {
      each.subscribe("ask", { queue: "answer", callback: (_error, message) => void message.respond() });
      await each.flush();
    }
    const asking = await stage.client(two!);
    await waitFor("an answer", () =>
      asking.request("ask", "", PATIENT).then(
        () => true,
        () => false,
      ),
    );
    let failures = 0;
    let hasLeft = false;
    void one!.server.lameDuck();
    void one!.server.closed().then(() => (hasLeft = true));
    while (!hasLeft) {
      const ask = (): Promise<unknown> => asking.request("ask", "", { timeout: 20_000 });
      await ask()
        .catch(() => new Promise((resolve) => setTimeout(resolve, 50)).then(ask))
        .catch(() => failures++);
    }
    expect(failures).toBe(0);
  });

  it("waits for one who reads what is pending late", async () => {
    const { stage, servers } = await cluster("20s", "100ms");
    const [one] = servers;
    const slow = await raw(one!);
    slow.write('CONNECT {"protocol":1,"verbose":false}\r\nSUB big 1\r\nPING\r\n');
    await once(slow, "data");
    slow.pause();
    const publisher = await stage.client(one!);
    const message = new Uint8Array(1_000_000);
    for (let i = 0; i < 12; i++) publisher.publish("big", message);
    await publisher.flush();
    void one!.server.lameDuck();
    await publisher.closed();
    let size = 0;
    slow.on("data", (data: Buffer) => (size += data.length));
    slow.resume();
    await once(slow, "end");
    slow.end();
    expect(size).toBeGreaterThan(12_000_000);
    await waitFor("the end", () => one!.server.state === "stopped");
    await one!.server.closed();
  });

  it("does not wait indefinitely for a client that does not read", async () => {
    const { stage, servers } = await cluster("300ms", "100ms");
    const [one] = servers;
    const deaf = await raw(one!);
    deaf.write('CONNECT {"protocol":1,"verbose":false}\r\nSUB big 1\r\nPING\r\n');
    await once(deaf, "data");
    deaf.pause();
    const publisher = await stage.client(one!);
    for (let i = 0; i < 12; i++) publisher.publish("big", new Uint8Array(1_000_000));
    await publisher.flush();
    await one!.server.lameDuck();
    await one!.server.closed();
    expect(one!.server.state).toBe("stopped");
  });

  it("closes newcomers, too, once their time has come", async () => {
    const { stage, servers } = await cluster("2s", "500ms");
    const [one] = servers;
    const early = await stage.client(one!);
    void one!.server.lameDuck();
    const late = await stage.client(one!);
    await Promise.all([early.closed(), late.closed()]);
    await expect(stage.client(one!)).rejects.toThrow("connection refused");
  });
});
