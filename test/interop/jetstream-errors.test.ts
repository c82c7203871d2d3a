/** Every error of JetStream that one server can produce, with its text, on shoal and on the real nats-server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiErrors } from "../../src/jetstream/api-error.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import type { Step } from "./jetstream-conversations.ts";
import { ERRORS } from "./jetstream-errors.ts";
import { LIMITED, type LimitedErrors } from "./jetstream-limit-errors.ts";
import { PUBLISH_ERRORS } from "./jetstream-publish-errors.ts";
import { Talk } from "./jetstream-talk.ts";
import { PATIENT } from "../support/patience.ts";

requireNatsServer();

interface Side {
  readonly server: ServerProcess;
  readonly folder: string;
  readonly client: NatsConnection;
}

interface Setting {
  /** What stands in the block `jetstream`, beside the folder. */
  readonly jetStream: string;
  /** Limits of the account; undefined: there are no accounts. */
  readonly account?: string;
}

async function startSide(command: string, { jetStream, account }: Setting): Promise<Side> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const accounts =
    account === undefined
      ? ""
      : `accounts { A { jetstream { ${account} }, users [{ user: a, password: a }] } }`;
  const server = await startServer(
    command,
    `jetstream { store_dir: ${JSON.stringify(folder)}, ${jetStream} }\n${accounts}`,
  );
  return { server, folder, client: await clientOf(server) };
}

function clientOf({ port }: ServerProcess): Promise<NatsConnection> {
  return connect({ servers: `127.0.0.1:${port}`, inboxPrefix: "_INBOX.x", user: "a", pass: "a" });
}

async function answersOf({ client, server }: Side, steps: readonly Step[]): Promise<unknown[]> {
  const one = await clientOf(server);
  const talk = new Talk(one);
  try {
    const answers: unknown[] = [];
    for (const step of steps) answers.push(await talk.take(step));
    return answers;
  } finally {
    await one.close();
    const { streams } = (await client.request("$JS.API.STREAM.NAMES", "", PATIENT)).json<{
      streams: string[] | null;
    }>();
    for (const name of streams ?? []) await client.request(`$JS.API.STREAM.DELETE.${name}`, "", PATIENT);
  }
}

/** Code of the last answer; 0: it is not a refusal. */
function codeOf(answer: unknown): number {
  const last = Array.isArray(answer) ? (answer as readonly unknown[]).at(-1) : answer;
  const { body } = last as { body?: { error?: { err_code?: number } } };
  return body?.error?.err_code ?? 0;
}

/** Without what cannot be the same: ids, and why a backup is damaged. */
const alike = (answers: readonly unknown[]): readonly unknown[] =>
  JSON.parse(
    JSON.stringify(answers)
      .replaceAll(/(identity does not match: )\w{8}/g, "$1ID")
      .replaceAll(/(SNAPSHOT\.RESTORE\.S\.)\w{22}/g, "$1ID")
      .replaceAll(/(restore failed: )[^"]+/g, "$1REASON"),
  ) as unknown[];

/** Errors that shoal has, and no row provokes. */
const WITHOUT_ROW: Readonly<Record<number, string>> = {
  10005: "takes a cluster: no server may keep the stream",
  10008: "takes a cluster: nobody leads",
  10029: "it is the state of a mirror, not an answer: jetstream-origin-conversations.ts",
  10039: "takes an account without JetStream: jetstream-refusals.test.ts",
  10040: "takes a cluster: a server that does not keep the stream",
  10044: "takes a cluster: a server that is no member",
  10045: "it is the state of a source: jetstream-origin-conversations.ts",
  10064: "as many backups have to be under way as there may be",
  10118: "takes a cluster: no server that keeps the stream is there",
  10119: "takes a cluster: no server that keeps the consumer is there",
  10120: "takes an account with tiers: operator-jetstream.test.ts",
  10126: "takes a cluster: one server refuses more than one replica first",
  10132: "the subject of the request is compared first, by 10017",
  10134: "takes a cluster: one server refuses more than one replica first",
  10172: "a message that is no counter has to be brought in by a backup",
  10214: "it is the state of a mirror",
  10217: "it is the state of a source",
  10228: "it is the state of a source whose flow control stands still",
};

const PLAIN = { ...ERRORS, publishers: PUBLISH_ERRORS };
const GROUPS: Readonly<Record<string, LimitedErrors>> = {
  ...Object.fromEntries(Object.entries(PLAIN).map(([name, rows]) => [name, { jetStream: "", rows }])),
  ...LIMITED,
};

describe.each(Object.entries(GROUPS))("errors of %s", (_name, group) => {
  const sides: Side[] = [];
  beforeAll(async () => {
    sides.push(...(await Promise.all(bothServers.map(({ command }) => startSide(command, group)))));
  });
  afterAll(async () => {
    for (const { server, folder, client } of sides) {
      await client.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each(group.rows)("%d is answered as by nats-server", async (code, ...steps) => {
    const [shoal, natsServer] = await Promise.all(
      sides.map(async (side) =>
        alike(await answersOf(side, steps as readonly Step[])).slice(group.before === "differs" ? -1 : 0),
      ),
    );
    expect(codeOf(shoal?.at(-1))).toBe(code);
    if (natsServer !== undefined) expect(shoal).toEqual(natsServer);
  });
});

it("every error that shoal has is provoked", () => {
  const provoked = new Set(Object.values(GROUPS).flatMap(({ rows }) => rows.map(([code]) => code)));
  const all = Object.values(apiErrors).map((make) => make("", "").errorCode);
  const missing = all.filter((code) => !provoked.has(code));
  expect([...new Set(missing)].toSorted((a, b) => a - b)).toEqual(Object.keys(WITHOUT_ROW).map(Number));
});
