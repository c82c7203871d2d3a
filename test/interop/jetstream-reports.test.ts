/** What the `nats` tool tells of streams and consumers, on shoal and on a real nats-server: the same lines, but for times, ids and sizes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, findTool, NatsCommand } from "../support/nats-cli.ts";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

requireNatsServer();
const program = findNatsCli();
/** Gives a program a terminal. */
const terminal = findTool("script", "SCRIPT", "no program script");
const CONFIG = `accounts {
  A: { jetstream: enabled, users: [{ user: a, password: a }] }
  SYS: { users: [{ user: s, password: s }] }
}
system_account: SYS`;

/** The user who asks, and the words of the command. */
const COMMANDS: readonly (readonly ["a" | "s", readonly string[]])[] = [
  ["a", ["stream", "ls"]],
  ["a", ["stream", "report"]],
  ["a", ["stream", "info", "ORDERS"]],
  ["a", ["stream", "state", "ORDERS"]],
  ["a", ["stream", "subjects", "ORDERS"]],
  ["a", ["stream", "get", "ORDERS", "2"]],
  ["a", ["consumer", "ls", "ORDERS"]],
  ["a", ["consumer", "info", "ORDERS", "kitchen"]],
  ["a", ["consumer", "report", "ORDERS"]],
  ["a", ["account", "info"]],
  ["s", ["server", "report", "jetstream"]],
];

/** What differs from server to server and from moment to moment is taken out, and what depends on its width. */
function shown(output: string): string[] {
  return (
    output
      .replaceAll(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, "TIME")
      .replaceAll(/\d\d:\d\d:\d\d/g, "TIME")
      .replaceAll(/\b[\d.]+ ?(?:ns|µs|ms|s|m\d+s|m|B|KiB|MiB|GiB|TiB)\b/g, "N")
      .replaceAll(/\b[A-Z2-7]{56}\b/g, "ID")
      .replaceAll(/127\.0\.0\.1:\d+/g, "ADDRESS")
      .replaceAll(/[─-╿]+/g, "|")
      .split("\n")
      .map((line) => line.replaceAll(/\s+/g, " ").trim())
      // requests so far: the client asks until the copy is there
      .map((line) => line.replace(/\d+ \| \d+ \| \| \|$/, "REQUESTS"))
      .filter(
        (line) => line !== "" && !/WARNING|_nats\.|Client ID|RTT|Server Version|Host Version/.test(line),
      )
  );
}

async function told(command: string): Promise<Map<string, string[]>> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const server = await startServer(
    command,
    `server_name: one\njetstream { store_dir: ${JSON.stringify(folder)}, max_mem: 64M, max_file: 1G }\n${CONFIG}`,
  );
  const client = await connect({ servers: `127.0.0.1:${server.port}`, user: "a", pass: "a" });
  onTestFinished(async () => {
    await client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const manager = await jetstreamManager(client, PATIENT);
  const js = jetstream(client, PATIENT);
  await manager.streams.add({ name: "ORDERS", subjects: ["orders.>"], max_msgs: 1000 });
  await manager.streams.add({ name: "COPY", sources: [{ name: "ORDERS" }] });
  await manager.consumers.add("ORDERS", { durable_name: "kitchen", ack_policy: AckPolicy.Explicit });
  for (let i = 1; i <= 5; i++) await js.publish(`orders.${i % 2}`, `order ${i}`);
  const consumer = await js.consumers.get("ORDERS", "kitchen");
  for await (const message of await consumer.fetch({ max_messages: 2, expires: 60_000 }))
    await message.ackAck();
  await waitFor("the copy", async () => (await manager.streams.info("COPY")).state.messages === 5);
  const lines = new Map<string, string[]>();
  for (const [user, words] of COMMANDS) {
    const url = `nats://${user}:${user}@127.0.0.1:${server.port}`;
    lines.set(words.join(" "), shown(await new NatsCommand(program!, url, words).done()));
  }
  if (terminal !== undefined) {
    const shell = (words: string): readonly string[] => [
      "-qec",
      `stty rows 50 cols 160; ${program!} ${words}`,
      "/dev/null",
    ];
    const url = `nats://a:a@127.0.0.1:${server.port}`;
    lines.set("stream view", shown(await new NatsCommand(terminal, url, shell("stream view ORDERS")).done()));
    await using graph = new NatsCommand(terminal, url, shell("stream graph ORDERS"));
    await graph.prints(/Messages Stored \/ second/);
  }
  return lines;
}

describe.skipIf(program === undefined || bothServers.length < 2)("reports of the nats tool", () => {
  it("are alike on both servers", { timeout: 120_000 }, async () => {
    const [own, theirs] = [await told(bothServers[0]!.command), await told(bothServers[1]!.command)];
    for (const [command, lines] of theirs) expect.soft([command, own.get(command)]).toEqual([command, lines]);
  });
});
