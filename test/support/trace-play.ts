/** A cluster with accounts that import from each other, whose servers trace messages, and what they tell together. */
import { connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { headers, type MsgHdrs, type NatsConnection } from "@nats-io/transport-node";
import { expect } from "vitest";
import { Clients } from "./cluster-clients.ts";
import type { ServerKind } from "./cluster-programs.ts";
import { waitFor } from "./cluster-wait.ts";
import { startMembers, type Cluster } from "./cluster.ts";

export const users = (...names: string[]): string =>
  `users: [${names.map((name) => `{ user: ${name}, password: p }`).join(", ")}]`;
const limited = `{ user: limited, password: p, permissions: {
  publish: { deny: ["no.pub", "no.trace"] }, subscribe: { deny: ["no.sub"] } } }`;
const ALL_LINES = [
  "max_payload: 4096",
  "accounts {",
  `  A { users: [{ user: A, password: p }, ${limited}], msg_trace: "ext.dest", mappings: { "map.from": "map.to" }`,
  `    exports: [ { service: "svc.open", allow_trace: true }, { service: "svc.shut" }, { stream: "str.>" } ] }`,
  `  B { ${users("B")}`,
  `    exports: [ { service: "b.open", allow_trace: true } ]`,
  `    imports: [ { service: { account: A, subject: "svc.open" }, to: "b.open" }`,
  `      { service: { account: A, subject: "svc.shut" }, to: "b.shut" }`,
  `      { stream: { account: A, subject: "str.open" }, to: "b.str.open", allow_trace: true }`,
  `      { stream: { account: A, subject: "str.shut" }, to: "b.str.shut" } ] }`,
  `  C { ${users("C")}, msg_trace: { dest: "ext.dest", sampling: "100%" }`,
  `    imports: [ { service: { account: B, subject: "b.open" }, to: "c.open" } ] }`,
  `  SYS { ${users("SYS")} }`,
  "}",
  "system_account: SYS",
];

const CONNECTIONS = ["client", "route"];

export interface TraceEvent {
  readonly server: { readonly name: string };
  readonly request: { readonly header?: Record<string, string[]>; readonly msgsize?: number };
  readonly hops?: number;
  readonly events: readonly Record<string, string | number>[];
}

/** One line for each event of each server, in the order of the alphabet: order and time are no part of the comparison. */
function told(traces: readonly TraceEvent[]): string[] {
  return traces
    .flatMap(({ server, hops, events }) => [
      ...(hops === undefined ? [] : [`${server.name} hops ${hops}`]),
      ...events.map((event) => `${server.name} ${line(event)}`),
    ])
    .sort();
}

function line({ type, ts, kind, cid, ...rest }: Record<string, string | number>): string {
  expect([typeof ts, type === "in" || type === "eg" ? typeof cid : "number"]).toEqual(["string", "number"]);
  const fields = Object.entries(rest).map(
    ([key, value]) => `${key}=${String(value).replace(/^_R_.*/, "_R_")}`,
  );
  const connection = kind === undefined ? [] : [CONNECTIONS[Number(kind)]];
  return [type, ...connection, ...fields].join(" ");
}

/** The clients of one cluster, and what they find out. */
export class TracePlay implements AsyncDisposable {
  readonly kinds: readonly ServerKind[];
  private clients = new Clients();
  private cluster: Cluster | null = null;
  private count = 0;

  constructor(kinds: readonly ServerKind[]) {
    this.kinds = kinds;
  }

  async start(serverLines: readonly string[] = ALL_LINES): Promise<void> {
    this.cluster = await startMembers(
      this.kinds.map((kind, i) => ({ kind, name: `m${i}`, clusterLines: ["name: mixed"], serverLines })),
    );
    if (this.kinds.length > 1) await this.cluster.fullMesh();
  }

  get isAlone(): boolean {
    return this.kinds.length === 1;
  }

  /** After each story: its clients are gone. */
  async leave(): Promise<void> {
    await this.clients[Symbol.asyncDispose]();
    this.clients = new Clients();
  }

  /** HPUB with more payload than may be, whose rest never comes. */
  publishTooMuch(subject: string, block: string): Socket {
    const { port } = new URL(`tcp://${this.cluster!.members[0]!.clientUrl}`);
    const socket = connect(Number(port), "127.0.0.1")
      .on("error", () => undefined)
      .resume();
    const hello = JSON.stringify({ user: "A", pass: "p", name: "large", headers: true, verbose: false });
    socket.write(`CONNECT ${hello}\r\nHPUB ${subject} ${block.length} 5000\r\n${block}`);
    return socket;
  }

  /** `near` is the first server, `far` the last. */
  async connect(where: "near" | "far", user: string, name: string, echo = true): Promise<NatsConnection> {
    const member = this.cluster!.members.at(where === "near" ? 0 : -1)!;
    const client = await this.clients.connect(member, {
      user,
      pass: "p",
      name,
      noEcho: !echo,
      ignoreAuthErrorAbort: true,
    });
    void (async () => {
      for await (const _status of client.status());
    })();
    return client;
  }

  url(user: string): string {
    return `nats://${user}:p@${this.cluster!.members[0]!.clientUrl}`;
  }

  /** Publishes until all servers together tell what is expected, since interest takes its time to cross. */
  async tells(
    collector: NatsConnection,
    publish: (destination: string) => void | Promise<void>,
    expected: readonly string[],
    destination?: string,
  ): Promise<TraceEvent[]> {
    let seen: string[] = [];
    return waitFor(
      "the trace",
      async () => {
        const traces = await this.collect(collector, publish, destination ?? `dest.${++this.count}`);
        seen = told(traces);
        return seen.join("\n") === [...expected].sort().join("\n") && traces;
      },
      () => `told:\n${seen.join("\n")}\nexpected:\n${[...expected].sort().join("\n")}`,
    );
  }

  /** Of one message: one trace, and one more for each hop. */
  private async collect(
    collector: NatsConnection,
    publish: (destination: string) => void | Promise<void>,
    destination: string,
  ): Promise<TraceEvent[]> {
    const traces: TraceEvent[] = [];
    const subscription = collector.subscribe(destination, {
      callback: (_, m) => void traces.push(decoded(m.data, m.headers)),
    });
    await collector.flush();
    await publish(destination);
    const giveUpAt = Date.now() + 2000;
    const isComplete = (): boolean =>
      traces.length > 0 && traces.length >= 1 + traces.reduce((sum, { hops = 0 }) => sum + hops, 0);
    while (!isComplete() && Date.now() < giveUpAt) await collector.flush();
    subscription.unsubscribe();
    return traces;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clients[Symbol.asyncDispose]();
    await this.cluster?.[Symbol.asyncDispose]();
  }
}

export function decoded(data: Uint8Array, own?: MsgHdrs): TraceEvent {
  const isZipped = own?.get("Content-Encoding") === "gzip";
  return JSON.parse(Buffer.from(isZipped ? gunzipSync(data) : data).toString()) as TraceEvent;
}

export const asked = (fields: Record<string, string>): { headers: MsgHdrs } => {
  const own = headers();
  for (const [name, value] of Object.entries(fields)) own.set(name, value);
  return { headers: own };
};
export const to = (destination: string, more: Record<string, string> = {}) =>
  asked({ "Nats-Trace-Dest": destination, ...more });
export const ONLY = { "Nats-Trace-Only": "true" };
