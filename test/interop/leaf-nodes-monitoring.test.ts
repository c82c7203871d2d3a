/** What `/leafz`, `/varz` and `/accstatz` tell of leaf nodes, on shoal and on a real nats-server: the same fields, and the same values. */
import { isDeepStrictEqual } from "node:util";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/nats-server.ts";
import { hasKind, LeafWorld, type LeafServer, type LeafServerKind } from "../support/leaf-nodes.ts";

requireNatsServer();

const ADMIN = { user: "admin", pass: "s" };
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

/** The events of leaf connections that come and go, at the hub and at the server that dials: what is alike of them. */
async function events(kind: LeafServerKind): Promise<Fields> {
  world = new LeafWorld();
  const config = `system_account: SYS
    accounts { SYS { users: [{user: admin, password: s}] }, A { users: [{user: a, password: p}] } }`;
  const listen = async (server: LeafServer): Promise<Fields[]> => {
    const client = await world.connect(server, ADMIN);
    const heard: Fields[] = [];
    for (const what of ["CONNECT", "DISCONNECT"])
      client.subscribe(`$SYS.ACCOUNT.A.${what}`, {
        callback: (_, message) => {
          const event = message.json<Fields>();
          if ((event["client"] as Fields)["kind"] === "Leafnode") heard.push(event);
        },
      });
    await client.flush();
    return heard;
  };
  const leafPort = await freePort();
  const remotes = [`{ url: "nats-leaf://a:p@127.0.0.1:${leafPort}", account: A }`];
  const leafOf = async (name: string): Promise<LeafServer> =>
    world.start(kind, { name, remotes, config, acceptsNone: true, leafnodes: `reconnect: "100ms"` });
  const below = await listen(await leafOf("early"));
  const hub = await world.start(kind, { name: "hub", leafPort, config });
  await waitFor("the connection", () => below.length === 1);
  const above = await listen(hub);
  const late = await leafOf("late");
  await waitFor("a further connection", () => above.length === 1);
  await late.process.stop();
  await waitFor("its end", () => above.length === 2);
  await hub.process.stop();
  await waitFor("the end of the first one", () => below.length === 2);
  return { below: below.map(alike), above: above.map(alike) };
}

/** Without what differs from run to run. */
function alike({ client, type, sent, received, reason, ...rest }: Fields): Fields {
  const { start, stop, host, id, rtt, name_tag, ...known } = client as Fields;
  return {
    type,
    known,
    kinds: [start, stop, host, id, rtt, name_tag, sent, received, reason].map((value) => typeof value),
    fields: Object.keys(rest).toSorted(),
  };
}

describe.skipIf(!KINDS.every(hasKind))("monitoring of leaf nodes", () => {
  it("tells alike of connections that come and go", async () => {
    const own = await events("shoal");
    await world[Symbol.asyncDispose]();
    expect(own).toEqual(await events("nats-server"));
  });

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
