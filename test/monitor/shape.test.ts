/**
 * Every endpoint's answer has the fields of the real nats-server's, of the same JSON types, down to the last nested one:
 * two clusters of two, one of each kind, with the same clients doing the same things. What differs is in a short list.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";

/** Fields that only nats-server has, of the system account: what it offers by itself. */
const OF_SYSTEM = /^accountz\.account_detail\.(imports|exports)\b/;
/** Fields that only shoal has. */
const ONLY_HERE: readonly RegExp[] = [
  /^varz\.metadata\b/, // our version; nats-server shows metadata where it is configured
];

const ENDPOINTS: readonly (readonly [name: string, path: string])[] = [
  ["connz", "connz"],
  ["connz, all", "connz?state=all&subs=detail&auth=1"],
  ["connz, closed", "connz?state=closed&subs=1&sort=stop"],
  ["connz, none", "connz?acc=nobody"],
  ["routez", "routez"],
  ["routez, detail", "routez?subs=detail"],
  ["routez, subjects", "routez?subs=1"],
  ["subsz", "subsz"],
  ["subsz, listed", "subsz?subs=1&acc=$G&test=work"],
  ["accountz", "accountz"],
  ["accountz", "accountz?acc=$G"],
  ["accountz, system", "accountz?acc=$SYS"],
  ["accstatz", "accstatz"],
  ["healthz", "healthz"],
  ["healthz, refused", "healthz?stream=x"],
  ["healthz, refused in detail", "healthz?consumer=x&account=x&details=1"],
  ["gatewayz", "gatewayz"],
  ["leafz", "leafz"],
  ["jsz", "jsz"],
  ["ipqueuesz", "ipqueuesz"],
  ["varz", "varz"],
];

/** Texts of refusals and of what is not there are the same to the letter. */
const TEXTS: readonly string[] = [
  "nothere",
  "raftz",
  "connz?sort=x",
  "connz?sort=reason",
  "connz?limit=x",
  "connz?subs=x",
  "connz?cid=x",
  "connz?state=x",
  "subsz?test=a.*",
  "subsz?offset=1.5",
  "accountz?acc=x",
  "accstatz?unused=x",
  "healthz?details=x",
  "jsz?accounts=x",
  "leafz?subs=x",
  "gatewayz?accs=x",
];

interface Side {
  readonly cluster: Cluster;
  readonly clients: readonly NatsConnection[];
}

const SERVER_LINES = [
  'authorization { user: "u", password: "p" }',
  'server_tags: ["a:b"]',
  "max_subscriptions: 1000",
  'mappings { "m.*": "n.$1", m: [ {dest: n, weight: 30}, {dest: "ö", weight: 20}, {dest: p, weight: 10, cluster: x} ] }',
  "accounts {",
  'E { exports: [{service: "add.*", response: stream}, {service: q, accounts: [I], latency: l}, {stream: "n.>"}, {stream: p, accounts: [I]}] }',
  'I { imports: [{service: {account: E, subject: "add.*"}, to: "s.$1", share: true}, {service: {account: E, subject: q}},',
  '  {stream: {account: E, subject: "n.>"}, prefix: x}, {stream: {account: E, subject: p}, to: y}] }',
  "}",
];

async function startSide(kind: ServerKind): Promise<Side> {
  const clusterLines = [
    "name: shapes",
    'permissions { import: { allow: ["a.>"] }, export: { deny: ["b.>"] } }',
  ];
  const specs = ["one", "two"].map((name) => ({ kind, name, serverLines: SERVER_LINES, clusterLines }));
  const cluster = await startMembers(specs);
  await cluster.fullMesh();
  const clients = await Promise.all(
    [0, 1].map((i) => connect({ servers: cluster.member(i).clientUrl, user: "u", pass: "p", name: `c${i}` })),
  );
  for (const client of clients) {
    client.subscribe("work", { queue: "q" });
    client.subscribe("a.*", { max: 100 });
    await client.flush();
  }
  for (const client of clients) client.publish("a.b", "hello");
  const gone = await connect({ servers: cluster.member(0).clientUrl, user: "u", pass: "p", name: "gone" });
  gone.subscribe("a.gone");
  await gone.flush();
  await gone.close();
  const side = { cluster, clients };
  await waitFor(`the clients of ${kind} to be seen`, async () => {
    const closed = (await ask(side, "connz?state=closed")).json as { num_connections: number };
    const routez = (await ask(side, "routez")).json as { routes: { subscriptions: number }[] };
    const varz = (await ask(side, "varz")).json as { in_client_msgs: number };
    const isTold = routez.routes.some((route) => route.subscriptions > 0);
    return closed.num_connections > 0 && isTold && varz.in_client_msgs > 0;
  });
  return side;
}

async function ask(
  { cluster }: Side,
  path: string,
): Promise<{ status: number; type: string; json: unknown; text: string }> {
  const response = await fetch(`http://127.0.0.1:${cluster.member(0).ports.monitor}/${path}`);
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  return {
    status: response.status,
    type,
    text,
    json: type.startsWith("application/json") ? JSON.parse(text) : null,
  };
}

/** Paths to the values that are no objects or arrays, each with the kind of value. */
function shape(value: unknown, path: string, into = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value)) {
    into.set(path, "array");
    for (const item of value) shape(item, `${path}[]`, into);
  } else if (typeof value === "object" && value !== null) {
    into.set(path, "object");
    for (const [key, field] of Object.entries(value)) shape(field, `${path}.${key}`, into);
  } else {
    into.set(path, kindOf(value));
  }
  return into;
}

function kindOf(value: unknown): string {
  if (typeof value !== "string") return value === null ? "null" : typeof value;
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value)) return "time";
  if (/^(\d+d)?(\d+h)?(\d+m)?[\d.]+(s|ms|µs|ns)$/.test(value)) return "duration";
  return "string";
}

function without(paths: Map<string, string>, but: readonly RegExp[]): Record<string, string> {
  return Object.fromEntries([...paths].filter(([path]) => !but.some((each) => each.test(path))));
}

describe.skipIf(missingKinds(["nats-new"]).length > 0)("answers have the shape of nats-server's", () => {
  let shoal: Side;
  let nats: Side;

  beforeAll(async () => {
    [shoal, nats] = await Promise.all([startSide("shoal"), startSide("nats-new")]);
  }, 60_000);

  afterAll(async () => {
    for (const side of [shoal, nats]) {
      await Promise.all(side.clients.map((client) => client.close()));
      await side.cluster[Symbol.asyncDispose]();
    }
  });

  it.each(ENDPOINTS)("%s (/%s)", async (name, path) => {
    const [ours, theirs] = [await ask(shoal, path), await ask(nats, path)];
    expect([ours.status, ours.type]).toEqual([theirs.status, theirs.type]);
    const root = name.split(",")[0]!;
    const onlyThere = path.includes("$SYS") ? [OF_SYSTEM] : [];
    expect(without(shape(ours.json, root), ONLY_HERE)).toEqual(without(shape(theirs.json, root), onlyThere));
  });

  it("fields stand in the same order", async () => {
    for (const path of [
      "varz",
      "connz?auth=1&subs=1",
      "routez",
      "subsz?subs=1&test=work&acc=$G",
      "accstatz",
    ]) {
      const [ours, theirs] = [await ask(shoal, path), await ask(nats, path)];
      const root = path.split("?")[0]!;
      const order = (json: unknown, but: readonly RegExp[]): string[] =>
        [...shape(json, root).keys()].filter((each) => !but.some((allowed) => allowed.test(each)));
      expect(order(ours.json, ONLY_HERE)).toEqual(order(theirs.json, []));
    }
  });

  it.each(TEXTS)("what is refused is refused in the same words (/%s)", async (path) => {
    const [ours, theirs] = [await ask(shoal, path), await ask(nats, path)];
    expect([ours.status, ours.type, ours.text]).toEqual([theirs.status, theirs.type, theirs.text]);
  });

  it("mappings are shown as nats-server does, with weights added up", async () => {
    const mappings = async (side: Side): Promise<unknown> =>
      ((await ask(side, "accountz?acc=$G")).json as { account_detail: { mappings: unknown } }).account_detail
        .mappings;
    expect(await mappings(shoal)).toEqual(await mappings(nats));
    expect(await mappings(shoal)).toHaveProperty("m");
  });

  it("exports and imports are shown as nats-server does, with those that every account has by default", async () => {
    type Listed = { subject: string; to?: string };
    const listed = async (side: Side, account: string, what: "exports" | "imports"): Promise<unknown> => {
      const { json } = await ask(side, `accountz?acc=${account}`);
      const detail = (json as { account_detail: Record<string, Listed[]> }).account_detail;
      const key = ({ subject, to = "" }: Listed): string => `${subject} ${to}`;
      return detail[what]!.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
    };
    expect(await listed(shoal, "E", "exports")).toEqual(await listed(nats, "E", "exports"));
    expect(await listed(shoal, "I", "imports")).toEqual(await listed(nats, "I", "imports"));
    expect(await listed(shoal, "I", "imports")).toHaveLength(8);
  });

  it("counts are the same where the same was done", async () => {
    const counts = async (side: Side): Promise<unknown> => {
      const varz = (await ask(side, "varz")).json as Record<string, unknown>;
      const names =
        "connections total_connections routes remotes in_client_msgs in_client_bytes max_payload".split(" ");
      return names.map((name) => [name, varz[name]]);
    };
    expect(await counts(shoal)).toEqual(await counts(nats));
  });
});
