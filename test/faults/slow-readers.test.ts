/**
 * Readers that are too slow, or do not read at all. The dead are cut off at the bounds of the configuration, without a word, as
 * nats-server does it; the living lose nothing meanwhile. Who is merely slower than a publisher slows it down instead.
 */
import { connect } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { globalInterest, startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Witnesses } from "../support/witnesses.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

const open: RawConnection[] = [];

afterEach(() => {
  for (const connection of open.splice(0)) connection.destroy();
});

async function join(server: InProcessServer): Promise<RawConnection> {
  const connection = await RawConnection.greeted(server.port);
  open.push(connection);
  return connection;
}

/** Subscribed, and from then on it reads no more. */
async function deadSubscriber(server: InProcessServer, subject: string): Promise<RawConnection> {
  const dead = await join(server);
  dead.send(`SUB ${subject} 1\r\nPING\r\n`);
  await dead.until("the PONG behind SUB", () => dead.text.match(/PONG/g)?.length === 2);
  dead.stopReading();
  return dead;
}

/** Counts the messages on a subject by their length, without looking at them. */
class Gauge {
  readonly connection: RawConnection;
  private readonly frameBytes: number;
  private greetingBytes = 0;

  private constructor(connection: RawConnection, frameBytes: number) {
    this.connection = connection;
    this.frameBytes = frameBytes;
  }

  static async on(server: InProcessServer, subject: string, size: number): Promise<Gauge> {
    const connection = await join(server);
    const gauge = new Gauge(connection, `MSG ${subject} 7 ${size}\r\n`.length + size + 2);
    connection.send(`SUB ${subject} 7\r\nPING\r\n`);
    await connection.until("the PONG behind SUB", () => connection.text.match(/PONG/g)?.length === 2);
    gauge.greetingBytes = connection.bytes;
    connection.keepsText = false;
    return gauge;
  }

  /** Whole ones: the PINGs that a server sends by the clock are far shorter than a message. */
  get count(): number {
    return Math.floor((this.connection.bytes - this.greetingBytes) / this.frameBytes);
  }

  async received(count: number): Promise<void> {
    await this.connection.until(`${count} messages`, () => this.count >= count);
  }
}

/** Publishes in batches; waits for the server to have taken each, so that what is sent is bounded by the server alone. */
async function pump(writer: RawConnection, subject: string, size: number, count: number): Promise<void> {
  const frame = Buffer.from(`PUB ${subject} ${size}\r\n${"x".repeat(size)}\r\n`);
  const perBatch = Math.max(1, Math.floor((256 * KiB) / frame.length));
  for (let sent = 0; sent < count; sent += perBatch) {
    const batch = Array.from({ length: Math.min(perBatch, count - sent) }, () => frame);
    await new Promise<void>((resolve, reject) => {
      writer.socket.write(Buffer.concat(batch), (error) => (error ? reject(error) : resolve()));
    });
  }
}

describe("a subscriber that does not read", () => {
  it.each(["load", ">"])(
    "to %s is cut off at max_pending; a fast one gets every message",
    async (subject) => {
      await using server = await startInProcess({ client: { maxPendingBytes: 4 * MiB } });
      await using witnesses = await Witnesses.watch(server.url);
      const dead = await deadSubscriber(server, subject);
      const gauge = await Gauge.on(server, "load", KiB);
      const writer = await join(server);
      await pump(writer, "load", KiB, 40_000);
      await gauge.received(40_000);
      expect(gauge.count).toBe(40_000);
      await witnesses.unharmed();
      expect(server.server.clients.counters).toMatchObject({ slowConsumers: 1, slowConsumersByDeadline: 0 });
      dead.readOn();
      await dead.closed();
      expect(dead.errors).toEqual([]);
      expect([writer.isClosed, gauge.connection.isClosed]).toEqual([false, false]);
    },
  );

  it("is cut off at write_deadline, however little waits for it", async () => {
    await using server = await startInProcess({ client: { writeDeadlineMs: 2000 } });
    await using witnesses = await Witnesses.watch(server.url);
    const dead = await deadSubscriber(server, "load");
    const gauge = await Gauge.on(server, "load", 100 * KiB);
    const writer = await join(server);
    let sent = 0;
    // As much as the system takes for the dead one, and a little more.
    while (server.server.clients.counters.stalls === 0) {
      await pump(writer, "load", 100 * KiB, 1);
      await gauge.received(++sent);
    }
    await waitFor(
      "the dead one to be cut off",
      () => server.server.clients.counters.slowConsumersByDeadline === 1,
    );
    await pump(writer, "load", 100 * KiB, 10);
    await gauge.received(sent + 10);
    await witnesses.unharmed();
    dead.readOn();
    await dead.closed();
    expect(dead.errors).toEqual([]);
    expect(server.server.clients.counters.slowConsumers).toBe(1);
  });

  it("publishes to itself until it is full: it alone is cut off", async () => {
    await using server = await startInProcess({ client: { maxPendingBytes: 4 * MiB } });
    await using witnesses = await Witnesses.watch(server.url);
    const dead = await deadSubscriber(server, "own");
    const frame = Buffer.from(`PUB own 60000\r\n${"x".repeat(60_000)}\r\n`);
    while (server.server.clients.counters.slowConsumers === 0) {
      dead.socket.write(frame);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await witnesses.exchangeMore();
    await witnesses.unharmed();
    dead.readOn();
    await dead.closed();
  });

  it("takes forty of its kind with it, and still the fast one gets every message", async () => {
    await using server = await startInProcess({ client: { maxPendingBytes: 2 * MiB } });
    await using witnesses = await Witnesses.watch(server.url);
    const dead = await Promise.all(Array.from({ length: 40 }, () => deadSubscriber(server, "load.>")));
    const gauge = await Gauge.on(server, "load.x", 16 * KiB);
    await pump(await join(server), "load.x", 16 * KiB, 1500);
    await gauge.received(1500);
    expect(gauge.count).toBe(1500);
    await witnesses.unharmed();
    expect(server.server.clients.counters.slowConsumers).toBe(dead.length);
  });
});

describe("a subscriber that is slower than the publisher", () => {
  it.each([
    [16 * KiB, 6000],
    [MiB, 100],
  ])("gets all messages of %i bytes, and nobody is cut off", async (size, count) => {
    await using server = await startInProcess();
    await using witnesses = await Witnesses.watch(server.url);
    const gauge = await Gauge.on(server, "load", size);
    const { socket } = gauge.connection;
    // Rests after each piece that it reads, while the publisher goes on.
    socket.on("data", () => {
      socket.pause();
      setImmediate(() => setImmediate(() => socket.resume()));
    });
    await pump(await join(server), "load", size, count);
    await gauge.received(count);
    expect(gauge.count).toBe(count);
    await witnesses.unharmed();
    const { slowConsumers, stalls } = server.server.clients.counters;
    expect(slowConsumers).toBe(0);
    expect(stalls).toBeGreaterThan(0);
  });

  it.each([
    [16 * KiB, 4000],
    [MiB, 80],
  ])("is the official client: gets all of %i bytes that another publishes at once", async (size, count) => {
    await using server = await startInProcess();
    const [from, to] = [await connect({ servers: server.url }), await connect({ servers: server.url })];
    const inbox = new Inbox(to, "load");
    await to.flush();
    const payload = new Uint8Array(size);
    for (let n = 0; n < count; n++) {
      from.publish("load", payload);
      if (n % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
    }
    await from.flush();
    await inbox.received(count);
    expect(inbox.messages.length).toBe(count);
    expect(server.server.clients.counters.slowConsumers).toBe(0);
    await Promise.all([from.close(), to.close()]);
  });
});

describe("a subscriber on another server that does not read", () => {
  it("costs the route nothing: others there get all that many publishers here send", async () => {
    // Little may wait for the route, much for a client: only the route is in danger.
    await using here = await startInProcess({
      server: { name: "here" },
      cluster: { name: "c" },
      client: { maxPendingBytes: 16 * MiB },
    });
    const routes = [{ host: "127.0.0.1", port: here.routePort, user: null, password: null }];
    await using there = await startInProcess({
      server: { name: "there" },
      cluster: { name: "c", routes },
      client: { maxPendingBytes: 256 * MiB },
    });
    await using witnesses = await Witnesses.watch(here.url, there.url);
    await witnesses.exchangeMore();
    const dead = await deadSubscriber(there, ">");
    const gauge = await Gauge.on(there, "load", KiB);
    await waitFor("interest", () => globalInterest(here) === 3);
    const writers = await Promise.all(Array.from({ length: 8 }, () => join(here)));
    await Promise.all(writers.map((writer) => pump(writer, "load", KiB, 10_000)));
    await gauge.received(80_000);
    expect(gauge.count).toBe(80_000);
    await witnesses.unharmed();
    expect(here.server.cluster!.counters.slowConsumers).toBe(0);
    dead.destroy();
  });
});
