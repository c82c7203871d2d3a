/** Streams of three shoals with the official client and the nats command: replicas that come and go, servers that end, start again and lose their disks. */
import { jetstream } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { JetStreamMembers } from "../support/jetstream-members.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { PATIENT, TEST_TIMEOUT_MS } from "../support/patience.ts";

const NAMES = ["n1", "n2", "n3"];
const cli = findNatsCli();
let members: JetStreamMembers;

beforeAll(async () => {
  members = await new JetStreamMembers(NAMES).start();
  await waitFor("a leader of the meta group", () => members.ask("n1", "$JS.API.INFO"));
}, TEST_TIMEOUT_MS);
afterAll(() => members[Symbol.asyncDispose]());

/** Asks again until it is done: a request that comes while a leader is elected is not answered. */
async function asks(subject: string, body: object): Promise<void> {
  await waitFor(subject, () => members.ask(members.living, subject, body));
}

async function makeStream(name: string, replicas: number): Promise<void> {
  await asks(`$JS.API.STREAM.CREATE.${name}`, { name, subjects: [`${name}.>`], num_replicas: replicas });
}

async function scale(name: string, replicas: number): Promise<void> {
  await asks(`$JS.API.STREAM.UPDATE.${name}`, { name, subjects: [`${name}.>`], num_replicas: replicas });
}

async function publish(stream: string, from: number, to: number): Promise<void> {
  const js = jetstream(await members.client(members.living), PATIENT);
  for (let i = from; i <= to; i++)
    await waitFor(`message ${i} to be stored`, () =>
      js.publish(`${stream}.a`, `message ${i}`, { msgID: `${i}`, timeout: 2000 }).catch(() => undefined),
    );
}

/** Its leader, once all replicas that there are to be have everything. */
async function settled(stream: string, replicas: number): Promise<string> {
  let seen = "";
  return waitFor(
    `${stream} to have ${replicas} replicas`,
    async () => {
      const info = await members.ask(members.living, `$JS.API.STREAM.INFO.${stream}`);
      seen = JSON.stringify(info?.cluster);
      const { replicas: others = [], leader = "" } = info?.cluster ?? {};
      const isThere = others.length === replicas - 1 && others.every(({ current }) => current);
      return isThere && leader !== "" ? leader : undefined;
    },
    () => seen,
  );
}

async function contents(stream: string): Promise<string[]> {
  const { state } = await waitFor("its state", () =>
    members.ask(members.living, `$JS.API.STREAM.INFO.${stream}`),
  );
  const found: string[] = [];
  for (let seq = 1; seq <= state!.last_seq; seq++) {
    const answer = await members.answer(members.living, `$JS.API.STREAM.MSG.GET.${stream}`, { seq });
    const data = answer.message?.data;
    if (data !== undefined) found.push(`${seq} ${Buffer.from(data, "base64").toString()}`);
  }
  return found;
}

describe("replicas of a stream", () => {
  it(
    "become three, and one again, and nothing is lost",
    async () => {
      await makeStream("GROWS", 1);
      await publish("GROWS", 1, 20);
      await asks("$JS.API.STREAM.MSG.DELETE.GROWS", { seq: 7 });
      const config = { durable_name: "c", ack_policy: "explicit" };
      await asks("$JS.API.CONSUMER.CREATE.GROWS.c", { stream_name: "GROWS", config });
      expect(await consume(3)).toEqual([1, 2, 3]);
      const before = await contents("GROWS");
      expect(before).toHaveLength(19);

      await scale("GROWS", 3);
      const leader = await settled("GROWS", 3);
      expect(await contents("GROWS")).toEqual(before);
      await members.kill(leader);
      await publish("GROWS", 21, 25);
      const after = await contents("GROWS");
      expect(after.slice(0, before.length)).toEqual(before);
      expect(after).toHaveLength(before.length + 5);

      members.spawn(leader);
      await settled("GROWS", 3);
      await scale("GROWS", 1);
      await settled("GROWS", 1);
      expect(await contents("GROWS")).toEqual(after);
      expect(await consume(2)).toEqual([4, 5]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    "are there again when all servers were killed",
    async () => {
      await makeStream("STAYS", 3);
      await publish("STAYS", 1, 10);
      await settled("STAYS", 3);
      const before = await contents("STAYS");
      for (const name of NAMES) await members.kill(name);
      for (const name of NAMES) members.spawn(name);
      await settled("STAYS", 3);
      expect(await contents("STAYS")).toEqual(before);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    "are there again on a server that has lost its disk",
    async () => {
      await makeStream("HEALS", 3);
      await publish("HEALS", 1, 10);
      await settled("HEALS", 3);
      await members.kill("n1");
      members.wipe("n1");
      await publish("HEALS", 11, 15);
      members.spawn("n1");
      await settled("HEALS", 3);
      expect(await contents("HEALS")).toHaveLength(15);
    },
    TEST_TIMEOUT_MS,
  );

  it.skipIf(cli === undefined)(
    "are led by others when a server ends well, and when the nats command asks for it",
    async () => {
      await makeStream("LED", 3);
      await publish("LED", 1, 5);
      const first = await settled("LED", 3);
      await waitFor("the leader to step down", async () => {
        const words = ["stream", "cluster", "step-down", "LED"];
        await using command = new NatsCommand(cli!, members.url(members.living), words);
        return await command.done().catch(() => undefined);
      });
      const second = await waitFor("another leader", async () => {
        const leader = await settled("LED", 3);
        return leader === first ? undefined : leader;
      });
      await members.kill(second, "SIGTERM");
      await publish("LED", 6, 8);
      members.spawn(second);
      await settled("LED", 3);
      expect(await contents("LED")).toHaveLength(8);
    },
    TEST_TIMEOUT_MS,
  );
});

/** The next messages of the consumer, which are acknowledged. */
async function consume(count: number): Promise<number[]> {
  const consumer = await waitFor("the consumer", async () => {
    const client = await members.client(members.living);
    return jetstream(client, PATIENT)
      .consumers.get("GROWS", "c")
      .catch(() => undefined);
  });
  const found: number[] = [];
  while (found.length < count) {
    const message = await consumer.next({ expires: 5000 }).catch(() => null);
    if (message === null) continue;
    if (await message.ackAck(PATIENT)) found.push(message.seq);
  }
  return found;
}
