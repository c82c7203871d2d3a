/** What `/leafz`, `/varz` and `/accstatz` tell of leaf nodes, on shoal and on a real nats-server: the same fields, and the same values. */
import { afterEach, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { freePort } from "../support/free-port.ts";
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

describe.skipIf(!KINDS.every(hasKind))("monitoring of leaf nodes", () => {
  it("is alike on both servers", async () => {
    const own = await told("shoal");
    await world[Symbol.asyncDispose]();
    expect(own).toEqual(await told("nats-server"));
  });
});
