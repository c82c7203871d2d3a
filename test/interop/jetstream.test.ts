/** Requests to JetStream on shoal and on the real nats-server: the same answers, but for times, ids and levels. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";
import { BATCHES } from "./jetstream-batch-conversations.ts";
import { CONVERSATIONS, type Step } from "./jetstream-conversations.ts";
import { FEATURES } from "./jetstream-feature-conversations.ts";
import { ORIGINS } from "./jetstream-origin-conversations.ts";
import { Talk } from "./jetstream-talk.ts";

requireNatsServer();

async function answersOf(command: string, steps: readonly Step[], more = ""): Promise<unknown[]> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const server = await startServer(command, `jetstream { store_dir: ${JSON.stringify(folder)}, ${more} }`);
  const client = await connect({ servers: `127.0.0.1:${server.port}`, inboxPrefix: "_INBOX.x" });
  const talk = new Talk(client);
  try {
    const answers: unknown[] = [];
    for (const step of steps) answers.push(await talk.take(step));
    return answers;
  } finally {
    await client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.each(Object.entries({ ...CONVERSATIONS, ...FEATURES, ...BATCHES, ...ORIGINS }))(
  "%s",
  (_name, steps) => {
    it(`are answered alike, ${steps.length} requests`, async () => {
      const [shoal, natsServer] = await Promise.all(
        bothServers.map(({ command }) => answersOf(command, steps)),
      );
      expect(shoal).toHaveLength(steps.length);
      for (const [i, step] of steps.entries())
        if (natsServer !== undefined) expect.soft(shoal?.[i], JSON.stringify(step)).toEqual(natsServer[i]);
    });
  },
);

describe("with strict: false", () => {
  it("fields that nobody knows are ignored", async () => {
    const steps: readonly Step[] = [
      ["$JS.API.STREAM.CREATE.S", { name: "S", unknown: 1 }],
      ["$JS.API.CONSUMER.CREATE.S.c", { stream_name: "S", config: { name: "c", unknown: 1 }, more: 2 }],
    ];
    const answers = await Promise.all(
      bothServers.map(({ command }) => answersOf(command, steps, "strict: false")),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]).toMatchObject([{ body: { did_create: true } }, { body: { name: "c" } }]);
  });
});

/** What a push consumer's listener and one who waits for a pull are told when the consumer goes, and when the server stops. */
async function heardAtTheEnd(command: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const server = await startServer(command, `jetstream { store_dir: ${JSON.stringify(folder)} }`);
  const client = await connect({ servers: `127.0.0.1:${server.port}`, reconnect: false });
  const heard: string[] = [];
  client.subscribe("to.*", {
    callback: (_, { subject, headers }) => {
      const said = headers?.keys().map((key) => `${key}=${headers.get(key)}`);
      heard.push([subject, headers?.code, headers?.description, ...(said ?? [])].join(" "));
    },
  });
  const ask = (subject: string, body: object): Promise<unknown> =>
    client.request(`$JS.API.${subject}`, JSON.stringify(body), PATIENT);
  try {
    await ask("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
    for (const name of ["pushed", "pushed-on"])
      await ask(`CONSUMER.CREATE.S.${name}`, {
        stream_name: "S",
        config: { name, deliver_subject: `to.${name}` },
      });
    for (const name of ["pulled", "pulled-on"]) {
      await ask(`CONSUMER.CREATE.S.${name}`, { stream_name: "S", config: { name, ack_policy: "explicit" } });
      const body = JSON.stringify({ batch: 3, expires: 60e9, max_bytes: 100 });
      client.publish(`$JS.API.CONSUMER.MSG.NEXT.S.${name}`, body, { reply: `to.${name}` });
    }
    for (const name of ["pushed", "pulled"]) await ask(`CONSUMER.DELETE.S.${name}`, {});
    server.signal("SIGTERM");
    await client.closed();
    return heard;
  } finally {
    await client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

it("who waits is told of the end alike", async () => {
  const heard = await Promise.all(bothServers.map(({ command }) => heardAtTheEnd(command)));
  for (const each of heard)
    expect(each).toEqual([
      "to.pulled 409 Consumer Deleted",
      "to.pulled-on 409 Server Shutdown Nats-Pending-Messages=3 Nats-Pending-Bytes=100",
    ]);
});
