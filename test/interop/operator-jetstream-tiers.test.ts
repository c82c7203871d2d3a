/**
 * Tiers of accounts that an operator has signed, in clusters: three shoals and three nats-servers hold to the same limits, in the same
 * words, and show them alike.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createUser } from "@nats-io/nkeys";
import { afterAll, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { JetStreamTrio, TRIO, trioKinds } from "../support/jetstream-trio.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import {
  accountToken,
  newAccount,
  OperatorKit,
  Requests,
  UNLIMITED,
  userToken,
} from "../support/operator-kit.ts";
import { TEST_TIMEOUT_MS } from "../support/patience.ts";

requireNatsServer();

const kit = new OperatorKit();
const [tiered, full, flat] = [newAccount(), newAccount(), newAccount()];
const NOTHING = { mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 };
const R1 = { mem_storage: 2048, disk_storage: 8192, streams: 2, consumer: 1, max_ack_pending: 50 };
const R3 = { mem_storage: 0, disk_storage: 16_384, streams: 2, consumer: 2, disk_max_stream_bytes: 8192 };
/** What an account may take of JetStream. */
const TERMS = new Map<typeof tiered, object>([
  [tiered, { ...NOTHING, tiered_limits: { R1, R3 } }],
  [full, { ...NOTHING, tiered_limits: { R3: { ...R3, disk_storage: 4096 } } }],
  [flat, { mem_storage: 0, disk_storage: 8192, streams: 5, consumer: 2 }],
]);
const CONFIG = kit.memoryConfig(
  new Map(
    Array.from(TERMS, ([account, terms]): [typeof tiered, string] => [
      account,
      accountToken(account, kit.operator, { nats: { limits: { ...UNLIMITED, ...terms } } }),
    ]),
  ),
);

type Ask = readonly [subject: string, body: object | string];

const stream = (name: string, num_replicas: number, more: object): Ask => [
  `STREAM.CREATE.${name}`,
  { name, subjects: [name], storage: "file", num_replicas, ...more },
];
const consumer = (at: string, name: string, more: object = {}): Ask => [
  `CONSUMER.CREATE.${at}.${name}`,
  { stream_name: at, config: { name, durable_name: name, ack_policy: "explicit", ...more } },
];

const TALKS: readonly (readonly [what: string, account: typeof tiered, talk: readonly Ask[]])[] = [
  [
    "tiers",
    tiered,
    [
      ["INFO", ""],
      stream("A", 1, { max_bytes: 4096 }),
      stream("B", 1, { max_bytes: 8192 }),
      stream("B", 3, { storage: "memory" }),
      stream("B", 3, { max_bytes: 16_384 }),
      stream("B", 3, { max_bytes: 8192 }),
      stream("C", 2, { max_bytes: 10 }),
      stream("C", 3, { max_bytes: 8192 }),
      stream("D", 3, { max_bytes: 1 }),
      stream("D", 1, { max_bytes: 4096, storage: "memory" }),
      stream("D", 1, { max_bytes: 1024, storage: "memory" }),
      stream("E", 1, { max_bytes: 10 }),
      ["STREAM.UPDATE.A", { name: "A", subjects: ["A"], num_replicas: 3, max_bytes: 4096 }],
      ["STREAM.UPDATE.B", { name: "B", subjects: ["B"], num_replicas: 2, max_bytes: 8192 }],
      consumer("A", "one"),
      consumer("A", "two"),
      consumer("A", "three", { max_ack_pending: 60 }),
      consumer("B", "one"),
      consumer("B", "two", { max_ack_pending: 60 }),
      consumer("B", "three"),
      consumer("B", "alone", { num_replicas: 1 }),
      consumer("B", "second", { num_replicas: 1 }),
      consumer("B", "pair", { num_replicas: 2 }),
      ["INFO", ""],
    ],
  ],
  [
    "limits without tiers",
    flat,
    [
      stream("A", 3, { max_bytes: 4096 }),
      stream("A", 3, { max_bytes: 2048 }),
      stream("B", 1, { max_bytes: 2048 }),
      stream("C", 1, { max_bytes: 1024 }),
      stream("C", 1, {}),
      consumer("A", "one"),
      consumer("A", "two", { num_replicas: 1 }),
      consumer("A", "three"),
      ["INFO", ""],
    ],
  ],
];

interface Told {
  readonly error?: { readonly err_code: number };
  readonly cluster?: { readonly replicas?: readonly { readonly current: boolean }[] };
  readonly tiers?: Readonly<Record<string, { readonly storage: number }>>;
}

async function ask(client: Requests, [subject, body]: Ask): Promise<Told> {
  const payload = typeof body === "string" ? body : JSON.stringify(body);
  return JSON.parse(await client.ask(`$JS.API.${subject}`, payload)) as Told;
}

/** null: there was no answer in a moment. */
async function tryAsk(client: Requests, request: Ask): Promise<Told | null> {
  return Promise.race([
    ask(client, request),
    new Promise<null>((resolve) => setTimeout(resolve, 2000, null)),
  ]);
}

/** How many requests there were is no affair of tiers. */
function shown(subject: string, answer: Told): unknown {
  return answer.error ?? (subject === "INFO" ? { ...answer, api: undefined } : "taken");
}

const trios: JetStreamTrio[] = [];
afterAll(async () => {
  for (const trio of trios) await trio[Symbol.asyncDispose]();
});

async function started(kind: string): Promise<JetStreamTrio> {
  const trio = new JetStreamTrio(kind, { accountLines: [CONFIG] });
  trios.push(trio);
  await trio.start();
  for (const name of TRIO)
    await waitFor(`${name} to take clients`, async () => {
      const answer = await trio.monitor(name, "healthz?js-meta-only=1").catch(() => null);
      return answer?.status === 200;
    });
  const client = await Requests.connect(trio.port("n1"), flat);
  await waitFor("three servers that can keep a stream together", async () => {
    // a nats-server may leave it without an answer at first
    const answer = await tryAsk(client, stream("ready", 3, { max_bytes: 1 }));
    return answer !== null && answer.error === undefined;
  });
  expect((await ask(client, ["STREAM.DELETE.ready", ""])).error).toBeUndefined();
  client.close();
  return trio;
}

/** A stream takes what its tier allows for each copy, counted on all servers, and no more. */
async function filled(client: Requests): Promise<unknown> {
  expect((await ask(client, stream("F", 3, {}))).error).toBeUndefined();
  const publish = async (): Promise<Told> => JSON.parse(await client.ask("F", "x".repeat(1000))) as Told;
  let [messages, storage] = [0, 0];
  for (; messages < 3; messages++) {
    expect((await publish()).error).toBeUndefined();
    const before = storage;
    await waitFor("what all servers keep of it to be known", async () => {
      storage = (await ask(client, ["INFO", ""])).tiers?.["R3"]?.storage ?? 0;
      return storage >= before + 3 * 1000;
    });
  }
  const { error } = await waitFor("a refusal", async () => {
    const answer = await publish();
    return answer.error !== undefined && answer;
  });
  return error;
}

/** A server that starts again finds the accounts of what it keeps, though no client of theirs is connected to it. */
async function keptAgain(trio: JetStreamTrio): Promise<void> {
  await trio.kill("n3");
  trio.spawn("n3");
  const client = await Requests.connect(trio.port("n1"), tiered);
  await waitFor("all copies to be there again", async () => {
    // The others take it for the leader for a while, if it led, and leave requests to it.
    const answer = await tryAsk(client, ["STREAM.INFO.B", ""]);
    const replicas = answer?.cluster?.replicas ?? [];
    const copies = replicas.filter(({ current }) => current).length;
    return copies === 2 && (await trio.monitor("n3", "healthz").catch(() => null))?.status === 200;
  });
  const { body } = await trio.monitor("n3", `jsz?acc=${tiered.publicKey}&streams=1`);
  const [account] =
    (body as { account_details?: { stream_detail?: { name: string }[] }[] }).account_details ?? [];
  expect(account?.stream_detail?.map(({ name }) => name)).toEqual(expect.arrayContaining(["B", "C"]));
  client.close();
}

const cli = findNatsCli();
const user = createUser();
const folder = mkdtempSync(join(tmpdir(), "shoal-tiers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Other servers and times, and what is measured. */
const VOLATILE =
  /(Client ID|RTT|Connected URL|Connected Address|Connected Server ID|Connected Server Version): .*/g;

/** What `nats account info` prints on each server. */
async function printed(trio: JetStreamTrio, account: typeof tiered): Promise<unknown[]> {
  if (cli === undefined) return [];
  const block = (name: string, text: string): string =>
    `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`;
  const creds = join(folder, "user.creds");
  const jwt = userToken({ publicKey: user.getPublicKey() }, account);
  const seed = Buffer.from(user.getSeed()).toString();
  writeFileSync(creds, block("NATS USER JWT", jwt) + block("USER NKEY SEED", seed));
  const texts: string[] = [];
  for (const name of TRIO) {
    const words = ["--creds", creds, "account", "info"];
    await using command = new NatsCommand(cli, `127.0.0.1:${trio.port(name)}`, words);
    texts.push((await command.done()).replaceAll(VOLATILE, "$1"));
  }
  return texts;
}

type Json = Readonly<Record<string, unknown>>;

/** What /accountz and /jsz tell of it on each server, and the streams that are on any. */
async function monitored(trio: JetStreamTrio, { publicKey }: typeof tiered): Promise<unknown[]> {
  const shown: unknown[] = [];
  const streams = new Map<string, unknown>();
  for (const name of TRIO) {
    const accountz = await trio.monitor(name, `accountz?acc=${publicKey}`);
    // Subscriptions of the server differ, and nats-server adds fields to the claims that are empty.
    const { account_detail: detail } = accountz.body as { account_detail: Json };
    const more = { subscriptions: 0, sublist_stats: 0, update_time: 0, imports: 0, decoded_jwt: 0 };
    const imports = (detail["imports"] as readonly Json[]).map((each) => JSON.stringify(each)).toSorted();
    shown.push([name, { ...detail, ...more }, imports]);
    const jsz = await trio.monitor(name, `jsz?streams=1&config=1&acc=${publicKey}`);
    const { account_details: accounts } = jsz.body as { account_details: readonly Json[] };
    for (const { stream_detail: kept, api: _, ...account } of accounts) {
      shown.push([name, account]);
      for (const { name: stream, config, state } of (kept ?? []) as readonly Json[])
        streams.set(String(stream), [config, (state as Json)["messages"]]);
    }
  }
  return [...shown, [...streams].toSorted(([a], [b]) => (a < b ? -1 : 1))];
}

const told = new Map<string, readonly unknown[]>();

it.each(trioKinds)(
  "%s holds to them",
  async (kind) => {
    const trio = await started(kind);
    const answers: unknown[] = [];
    for (const [what, account, talk] of TALKS) {
      const client = await Requests.connect(trio.port("n2"), account);
      for (const one of talk) answers.push([what, one, shown(one[0], await ask(client, one))]);
      client.close();
    }
    for (const account of TERMS.keys())
      answers.push(["shown", await printed(trio, account), await monitored(trio, account)]);
    const client = await Requests.connect(trio.port("n3"), full);
    answers.push(["a stream that is full", await filled(client)]);
    client.close();
    told.set(kind, answers);
    // a nats-server may leave requests without an answer meanwhile
    if (trio.isShoal) await keptAgain(trio);
  },
  TEST_TIMEOUT_MS,
);

it.skipIf(trioKinds.length < 2)("both say the same", () => {
  const [own, theirs] = trioKinds.map((kind) => told.get(kind));
  expect(theirs).toBeDefined();
  expect(own).toEqual(theirs);
});
