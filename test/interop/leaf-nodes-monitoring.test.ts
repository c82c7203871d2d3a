/** What `/leafz`, `/varz` and `/accstatz` tell of leaf nodes, on shoal and on a real nats-server: the same fields, and the same values. */
import { isDeepStrictEqual } from "node:util";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/nats-server.ts";
import { hasKind, LeafWorld, type LeafServerKind } from "../support/leaf-nodes.ts";

requireNatsServer();

const KINDS: readonly LeafServerKind[] = ["shoal", "nats-server"];
type Fields = Record<string, unknown>;

let world: LeafWorld;

afterEach(async () => world?.[Symbol.asyncDispose]());

async function ask(port: number, path: string): Promise<Fields> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`);
  return (await answer.json()) as Fields;
}

/** What both servers tell alike, of a hub and its spoke between which a message has passed each way. */
async function told(kind: LeafServerKind): Promise<Fields> {
  world = new LeafWorld();
  const ports = { hub: await freePort(), spoke: await freePort() };
  const hub = await world.start(kind, { name: "hub", config: `http: "127.0.0.1:${ports.hub}"` });
  const spoke = await world.start(kind, {
    name: "spoke",
    hubs: [hub],
    remote: `deny_imports: "a.secret"`,
    config: `http: "127.0.0.1:${ports.spoke}"`,
  });
  const [up, down] = [await world.connect(hub), await world.connect(spoke)];
  await allReach([up, down]);
  const inbox = new Inbox(down, "a.b");
  await allReach([up, down]);
  up.publish("a.b", "hello");
  await inbox.received(1);
  const result: Fields = {};
  for (const name of ["hub", "spoke"] as const) {
    const { leafs, leafnodes } = await ask(ports[name], "/leafz?subs=1");
    const [leaf] = leafs as Fields[];
    const { id: _, ip, port: __, rtt: ___, subscriptions_list: subjects, ...rest } = leaf!;
    const varz = await ask(ports[name], "/varz");
    const { remotes = [], port: ____, write_deadline: _____, ...block } = varz["leaf"] as Fields;
    result[name] = {
      leafnodes,
      fields: Object.keys(rest).toSorted(),
      peer: rest["name"],
      isSpoke: rest["is_spoke"],
      account: rest["account"],
      compression: typeof rest["compression"],
      ip,
      hasSubject: (subjects as string[]).includes("a.b"),
      counted: varz["leafnodes"],
      block,
      denied: (remotes as Fields[]).map(({ local_account, deny }) => ({ local_account, deny })),
    };
    expect(Number(rest["in_msgs"]) + Number(rest["out_msgs"])).toBeGreaterThan(1);
  }
  const statz = (await ask(ports.hub, "/accstatz?unused=1"))["account_statz"] as Fields[];
  const { conns, leafnodes, total_conns } = statz.find(({ acc }) => acc === "$G")!;
  return { ...result, statz: { conns, leafnodes, total_conns } };
}

/** The answers of a server that has remotes, whether their hubs are there or not, without ports and with one scheme. */
async function health(kind: LeafServerKind): Promise<unknown[]> {
  world = new LeafWorld();
  const [nobody, port] = [await freePort(), await freePort()];
  const hub = await world.start(kind, { name: "hub" });
  await world.start(kind, {
    name: "spoke",
    hubs: [hub],
    config: `http: "127.0.0.1:${port}"`,
  });
  const unconnected = await freePort();
  const command = bothServers[kind === "shoal" ? 0 : 1]!.command;
  const alone = await startServer(
    command,
    `http: "127.0.0.1:${unconnected}"
    accounts { A { users: [{ user: a, password: a }] }, B { users: [{ user: b, password: b }] } }
    leafnodes { remotes: [
      { account: B, urls: ["nats-leaf://user:secret@127.0.0.1:${nobody}", "nats-leaf://user:secret@localhost:${nobody}"] }
      { account: A, url: "nats-leaf://127.0.0.1:${nobody}" } ] }`,
  );
  onTestFinished(() => alone.stop());
  const healthz = async (at: number, query: string): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${at}/healthz?${query}`);
    return [
      answer.status,
      (await answer.text()).replaceAll(String(nobody), "PORT").replaceAll("nats-leaf:", "nats:").trim(),
    ];
  };
  await waitFor("the leaf connection", async () =>
    isDeepStrictEqual(await healthz(port, "leaf-remotes-connected=1"), [200, '{"status":"ok"}']),
  );
  const queries = ["", "leaf-remotes-connected=1", "leaf-remotes-connected=true&details=1"];
  return Promise.all(
    [...queries, "leaf-remotes-connected=perhaps"].map((query) => healthz(unconnected, query)),
  );
}

describe.skipIf(!KINDS.every(hasKind))("monitoring of leaf nodes", () => {
  it("is alike on both servers", async () => {
    const own = await told("shoal");
    await world[Symbol.asyncDispose]();
    expect(own).toEqual(await told("nats-server"));
  });

  it("says alike which remotes are not connected", async () => {
    const own = await health("shoal");
    await world[Symbol.asyncDispose]();
    expect(own).toEqual(await health("nats-server"));
    expect(own.map((one) => (one as [number])[0])).toEqual([200, 503, 503, 400]);
  });
});
