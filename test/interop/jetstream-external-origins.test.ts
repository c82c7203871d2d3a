/** Mirrors and sources of streams of another account, by exports and imports: the same on shoal and on the real nats-server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

requireNatsServer();

const ACCOUNTS = `
accounts {
  A { jetstream: enabled, users: [{ user: a, password: p }], exports: [
    { service: "$JS.API.>", response_type: stream }, { service: "$JS.FC.>" }, { stream: "to.b.>" } ] }
  B { jetstream: enabled, users: [{ user: b, password: p }], imports: [
    { service: { account: A, subject: "$JS.API.>" }, to: "js.A.>" }, { service: { account: A, subject: "$JS.FC.>" } }
    { stream: { account: A, subject: "to.b.>" } } ] }
}`;
const EXTERNAL = { api: "js.A", deliver: "to.b" };
const MESSAGES = 2000;

async function messagesOf(manager: JetStreamManager, stream: string): Promise<number> {
  return (await manager.streams.info(stream)).state.messages;
}

describe.each(bothServers)("on $name", ({ command }) => {
  it("streams of another account are mirrored and taken as sources", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
    const server = await startServer(
      command,
      `jetstream { store_dir: ${JSON.stringify(folder)} }\n${ACCOUNTS}`,
    );
    const [a, b] = await Promise.all(
      ["a", "b"].map((user) => connect({ servers: `127.0.0.1:${server.port}`, user, pass: "p" })),
    );
    try {
      const origin = await jetstreamManager(a!, PATIENT);
      const here = await jetstreamManager(b!, PATIENT);
      await origin.streams.add({ name: "O", subjects: ["o.>"] });
      await here.streams.add({ name: "M", mirror: { name: "O", external: EXTERNAL } });
      await here.streams.add({
        name: "S",
        sources: [{ name: "O", filter_subject: "o.1", external: EXTERNAL }],
      });
      const js = jetstream(a!, PATIENT);
      for (let i = 0; i < MESSAGES; i += 100)
        await Promise.all(Array.from({ length: 100 }, (_, k) => js.publish(`o.${(i + k) % 2}`, `${i + k}`)));
      await waitFor("the mirror", async () => (await messagesOf(here, "M")) === MESSAGES);
      await waitFor("the source", async () => (await messagesOf(here, "S")) === MESSAGES / 2);
      const mirrored = await here.streams.getMessage("M", { seq: 7 });
      const there = await origin.streams.getMessage("O", { seq: 7 });
      expect([mirrored?.subject, mirrored?.string(), mirrored?.time]).toEqual([
        there?.subject,
        there?.string(),
        there?.time,
      ]);
      const taken = await here.streams.getMessage("S", { seq: 3 });
      expect(taken?.subject).toBe("o.1");
      expect(taken?.header.get("Nats-Stream-Source")).toMatch(
        /^O:[0-9A-Za-z]{8} \d+ o\.1 > o\.1 [0-9A-Za-z]{8}$/,
      );
      const { mirror } = await here.streams.info("M");
      expect(mirror).toMatchObject({ name: "O", external: EXTERNAL, lag: 0 });
      expect(mirror?.error).toBeUndefined();
    } finally {
      await Promise.all([a?.close(), b?.close()]);
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
