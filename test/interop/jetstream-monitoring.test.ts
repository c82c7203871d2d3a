/** What monitoring tells of JetStream, on shoal and on the real nats-server: the same fields and figures, but for times and ids. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

requireNatsServer();

const CONFIG = `
accounts {
  A { jetstream: { max_mem: 10M, max_file: 100M, max_streams: 10 }, users: [{user: a, password: a}] }
  B { users: [{user: b, password: b}] }
  C { jetstream: enabled, users: [{user: c, password: c}] }
  SYS { users: [{user: s, password: s}] }
}
system_account: SYS
server_name: S`;

const PATHS: readonly string[] = [
  "jsz",
  "jsz?accounts=1",
  "jsz?accounts=1&limit=1",
  "jsz?accounts=1&offset=1",
  "jsz?accounts=1&offset=9",
  "jsz?acc=A",
  "jsz?acc=A&streams=1",
  "jsz?acc=A&consumers=1",
  "jsz?acc=A&consumers=1&config=1",
  "jsz?acc=C&streams=1",
  "jsz?acc=nobody",
  "jsz?acc=nobody&accounts=1",
  "jsz?streams=1",
  "jsz?consumers=1&config=1&raft=1&direct-consumers=1",
  "jsz?acc=A&consumers=1&config=1&raft=1&direct-consumers=1",
  "jsz?acc=A&consumers=1&direct-consumers=1",
  "jsz?acc=A&direct-consumers=1",
  "jsz?acc=A&accounts=1&config=1",
  "jsz?acc=A&streams=1&limit=1",
  "jsz?acc=A&streams=1&offset=1",
  "jsz?streams=1&limit=1&offset=1",
  "jsz?config=1",
  "jsz?raft=1",
  "jsz?acc=a%20b",
  "jsz?accounts=x",
  "jsz?consumers=x",
  "jsz?config=x",
  "jsz?raft=x",
  "jsz?direct-consumers=x",
  "jsz?leader-only=x",
  "jsz?stream-leader-only=x",
  "jsz?offset=x",
  "jsz?limit=-1&accounts=1",
  "jsz?offset=-1&accounts=1",
  "jsz?leader-only=1",
  "jsz?stream-leader-only=1&streams=1",
  "jsz?streams=x",
  "jsz?limit=x",
  "healthz",
  "healthz?details=1",
  "healthz?js-enabled=1",
  "healthz?js-enabled-only=1&account=nobody",
  "healthz?js-server-only=1&account=nobody",
  "healthz?js-meta-only=1",
  "healthz?account=A",
  "healthz?account=A&stream=one",
  "healthz?account=A&stream=one&consumer=c1",
  "healthz?account=A&stream=one&consumer=c1&details=1",
  "healthz?account=A&stream=one&consumer=nobody",
  "healthz?account=A&stream=one&consumer=nobody&details=1",
  "healthz?account=A&stream=nobody",
  "healthz?account=A&stream=nobody&details=1",
  "healthz?account=nobody",
  "healthz?account=nobody&details=1",
  "healthz?account=B&stream=one",
  "healthz?stream=one",
  "healthz?stream=one&details=1",
  "healthz?account=A&consumer=c1",
  "healthz?consumer=c1&details=1",
  "healthz?account=A&stream=grün",
  "healthz?account=A&stream=nie",
  "healthz?js-enabled=x",
  "healthz?js-enabled-only=x",
  "healthz?js-server-only=x",
  "healthz?js-meta-only=x",
  "healthz?details=x",
  "healthz?js-enabled-only=1&details=1",
  "healthz?js-enabled=1&js-server-only=1&account=A&stream=nobody",
];

const SYSTEM_REQUESTS: readonly (readonly [subject: string, payload: object])[] = [
  ["$SYS.REQ.SERVER.PING.JSZ", {}],
  ["$SYS.REQ.SERVER.PING.JSZ", { accounts: true, streams: true, consumer: true, config: true }],
  ["$SYS.REQ.SERVER.PING.JSZ", { account: "A", streams: true }],
  ["$SYS.REQ.SERVER.PING.JSZ", { accounts: true, limit: 1, offset: 1 }],
  ["$SYS.REQ.ACCOUNT.A.JSZ", {}],
  ["$SYS.REQ.ACCOUNT.A.JSZ", { streams: true, consumer: true, config: true }],
  ["$SYS.REQ.ACCOUNT.B.JSZ", { streams: true }],
  ["$SYS.REQ.ACCOUNT.nobody.JSZ", {}],
  ["$SYS.REQ.SERVER.PING.HEALTHZ", { account: "A", stream: "one" }],
  ["$SYS.REQ.SERVER.PING.HEALTHZ", { account: "A", stream: "nobody", details: true }],
];

interface Side {
  readonly server: ServerProcess;
  readonly monitorPort: number;
  readonly folder: string;
  readonly clients: readonly NatsConnection[];
}

async function startSide(command: string): Promise<Side> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const jetStream = `jetstream { store_dir: ${JSON.stringify(folder)}, max_mem: 100M, max_file: 1G, sync_interval: "2m" }`;
  const monitorPort = await freePort();
  const server = await startServer(command, `${CONFIG}\nhttp: "127.0.0.1:${monitorPort}"\n${jetStream}`);
  const clients = await Promise.all(
    ["a", "s"].map((user) => connect({ servers: `127.0.0.1:${server.port}`, user, pass: user })),
  );
  const api = async (subject: string, payload: object): Promise<void> => {
    const answer = await clients[0]!.request(`$JS.API.${subject}`, JSON.stringify(payload), PATIENT);
    expect(answer.json()).not.toHaveProperty("error");
  };
  await api("STREAM.CREATE.one", { name: "one", subjects: ["one.>"], metadata: { owner: "ann" } });
  await api("STREAM.CREATE.grün", {
    name: "grün",
    subjects: ["grün.>"],
    description: "größer",
    metadata: { besitzer: "Jürgen" },
    subject_transform: { src: "grün.>", dest: "ü.>" },
  });
  await api("STREAM.CREATE.two", { name: "two", subjects: ["two"], storage: "memory", max_bytes: 100_000 });
  await api("STREAM.CREATE.copy", { name: "copy", mirror: { name: "one" } });
  await api("STREAM.CREATE.all", { name: "all", sources: [{ name: "two" }, { name: "grün" }] });
  for (const name of ["c1", "c2"]) {
    const config = { durable_name: name, ack_policy: "explicit" };
    await api(`CONSUMER.DURABLE.CREATE.one.${name}`, { stream_name: "one", config });
  }
  await clients[0]!.request("one.a", "hello", PATIENT);
  await clients[0]!.request("two", "hello", PATIENT);
  await clients[0]!.request("grün.ö", "hello", PATIENT);
  for (const [stream, messages] of [
    ["copy", 1],
    ["all", 2],
  ] as const)
    await waitFor(`${messages} messages in ${stream}`, async () => {
      const response = await fetch(`http://127.0.0.1:${monitorPort}/jsz?acc=A&streams=1`); // not counted as a request
      const {
        account_details: [account],
      } = (await response.json()) as {
        account_details: { stream_detail: { name: string; state: { messages: number } }[] }[];
      };
      return account!.stream_detail.find(({ name }) => name === stream)?.state.messages === messages;
    });
  await clients[0]!.request("$JS.API.STREAM.INFO.nobody", "", PATIENT);
  return { server, monitorPort, folder, clients };
}

const sides: Side[] = [];
beforeAll(async () => {
  sides.push(...(await Promise.all(bothServers.map(({ command }) => startSide(command)))));
});
afterAll(async () => {
  for (const { server, folder, clients } of sides) {
    for (const client of clients) await client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** They differ from server to server, or from moment to moment. */
const VARIES =
  /^(server_id|now|created|ts|first_ts|last_ts|active|last_active|store_dir|level|_nats\.req\.level|id|time|seq|ver)$/;
/** Of nats-server's levels, figures of the process, and what shoal alone has. */
const LEFT_OUT = /^(feature_flags|metadata|host|scrub)$/;

/** What consumers of mirrors and sources are called: a part of it is drawn. */
const DRAWN = /^(\$JS\.[MS]\.|JS_(?:MIRROR|SRC)_)[\w-]+$/;

function shown(value: unknown, key = ""): unknown {
  if (VARIES.test(key)) return typeof value;
  if (Array.isArray(value))
    return value
      .map((one) => shown(one))
      .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value === "string") return value.replace(DRAWN, "$1");
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([name]) => !LEFT_OUT.test(name));
  return Object.fromEntries(fields.map(([name, one]) => [name, shown(one, name)]));
}

async function ask({ monitorPort }: Side, path: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${monitorPort}/${path}`);
  const text = await response.text();
  return { status: response.status, answer: text.startsWith("{") ? shown(JSON.parse(text)) : text };
}

describe("monitoring of JetStream", () => {
  it.each(PATHS)("answers /%s as nats-server does", async (path) => {
    const [shoal, natsServer] = await Promise.all(sides.map((side) => ask(side, path)));
    expect(shoal).toEqual(natsServer);
  });

  it.each(SYSTEM_REQUESTS)("answers %s %j as nats-server does", async (subject, payload) => {
    const [shoal, natsServer] = await Promise.all(
      sides.map(async ({ clients }) =>
        shown((await clients[1]!.request(subject, JSON.stringify(payload), PATIENT)).json()),
      ),
    );
    expect(shoal).toEqual(natsServer);
  });

  it("shows JetStream in /varz and in what servers tell one another", async () => {
    const [shoal, natsServer] = await Promise.all(
      sides.map(async (side) => {
        const varz = (await ask(side, "varz")) as { answer: { jetstream: object } };
        const statsz = await side.clients[1]!.request("$SYS.REQ.SERVER.PING", "", PATIENT);
        const told = statsz.json<{ server: { jetstream: boolean }; statsz: { jetstream: object } }>();
        return [varz.answer.jetstream, shown(told.statsz.jetstream), told.server.jetstream];
      }),
    );
    expect(shoal).toEqual(natsServer);
  });

  it("tells which accounts have it", async () => {
    const [shoal, natsServer] = await Promise.all(
      sides.map((side) =>
        Promise.all(
          ["A", "B"].map(async (account) => {
            const { answer } = (await ask(side, `accountz?acc=${account}`)) as {
              answer: { account_detail: { jetstream_enabled: boolean } };
            };
            return answer.account_detail.jetstream_enabled;
          }),
        ),
      ),
    );
    expect(shoal).toEqual([true, false]);
    expect(natsServer).toEqual([true, false]);
  });
});
