/** Streams that three servers keep together: whatever a publisher was told is stored survives the server that told it. */
import { describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { JetStreamMembers } from "../support/jetstream-members.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";

const NAMES = ["n1", "n2", "n3"];
const cli = findNatsCli();

/** Publishes until it is acknowledged, and returns the sequence. */
async function publish(members: JetStreamMembers, through: string, payload: string): Promise<number> {
  const client = await members.client(through);
  return waitFor(`an acknowledgement of ${payload}`, async () => {
    const answer = await client.request("s.1", payload, { timeout: 2000 }).catch(() => undefined);
    return answer?.json<{ seq?: number }>().seq;
  });
}

/** The leader of a stream, as any server tells of it, once it has one. */
async function leaderOf(members: JetStreamMembers, ask: string, other = ""): Promise<string> {
  return waitFor("a leader of the stream", async () => {
    const leader = (await members.ask(ask, "$JS.API.STREAM.INFO.S"))?.cluster?.leader ?? "";
    return leader !== "" && leader !== other ? leader : undefined;
  });
}

describe("a stream with three replicas", () => {
  it.skipIf(cli === undefined)("loses nothing that was acknowledged when its leader is killed", async () => {
    await using members = await new JetStreamMembers(NAMES).start();
    await waitFor("a leader of the meta group", () => members.ask("n1", "$JS.API.INFO"));
    await waitFor("the stream to be made", async () => {
      await using add = new NatsCommand(cli!, members.url("n1"), [
        ...["stream", "add", "S", "--subjects", "s.>", "--replicas", "3", "--defaults"],
      ]);
      await add.done().catch(() => undefined); // some of the servers may not be known yet
      return (await members.ask("n1", "$JS.API.STREAM.INFO.S"))?.cluster?.replicas?.length === 2;
    });
    const stored = new Map<number, string>();
    for (const [i, name] of [...NAMES, ...NAMES].entries())
      stored.set(await publish(members, name, `before ${i}`), `before ${i}`);

    const config = { durable_name: "c", ack_policy: "explicit" };
    const made = await waitFor("the consumer to be made", () =>
      members.ask("n2", "$JS.API.CONSUMER.CREATE.S.c", { stream_name: "S", config }),
    );
    expect(made.cluster?.replicas).toHaveLength(2);
    await waitFor("the messages to reach the consumer", async () => {
      await using next = new NatsCommand(cli!, members.url("n3"), ["consumer", "next", "S", "c"]);
      return (await next.done().catch(() => "")).includes("str seq: 6");
    });

    const first = await leaderOf(members, "n1");
    const others = NAMES.filter((name) => name !== first);
    await members.kill(first);
    for (let i = 0; i < 10; i++) {
      const through = others[i % 2]!;
      stored.set(await publish(members, through, `after ${i}`), `after ${i}`);
    }
    await leaderOf(members, others[0]!, first);
    for (const [sequence, payload] of stored) {
      const found = await members.ask(others[1]!, "$JS.API.STREAM.MSG.GET.S", { seq: sequence });
      expect(Buffer.from(found?.message?.data ?? "", "base64").toString()).toBe(payload);
    }

    members.spawn(first);
    await waitFor("the killed server to have everything again", async () => {
      const info = await members.ask(others[0]!, "$JS.API.STREAM.INFO.S");
      const replicas = info?.cluster?.replicas ?? [];
      return replicas.length === 2 && replicas.every(({ current }) => current);
    });
  });
});
