/** `shoal doctor` about three shoals and about three nats-servers: the same things are wrong, and it says the same of both. */
import { execFile } from "node:child_process";
import { afterAll, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { requireNatsServer } from "../support/both-servers.ts";
import { findProgram } from "../support/cluster-programs.ts";
import { JetStreamTrio, trioKinds } from "../support/jetstream-trio.ts";
import { PATIENCE_MS, TEST_TIMEOUT_MS } from "../support/patience.ts";

requireNatsServer();
const trios: JetStreamTrio[] = [];
afterAll(async () => {
  for (const trio of trios) await trio[Symbol.asyncDispose]();
});

interface Said {
  readonly code: number;
  /** Without the last, which counts. */
  readonly lines: readonly string[];
  readonly counts: string;
  readonly problem: string;
}

async function ask(...options: readonly string[]): Promise<Said> {
  const { promise, resolve } = Promise.withResolvers<Said>();
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
  const timeout = PATIENCE_MS;
  execFile(findProgram("shoal")!, ["doctor", ...options], { env, timeout }, (error, stdout, stderr) => {
    const lines = stdout.trimEnd().split("\n");
    const code = error === null ? 0 : Number(error.code);
    resolve({ code, lines: lines.slice(0, -1), counts: lines.at(-1) ?? "", problem: stderr });
  });
  return promise;
}

/** Asks n1 until it says all of this. */
async function askUntil(trio: JetStreamTrio, parts: readonly string[]): Promise<Said> {
  let last: Said | null = null;
  return waitFor(
    `the doctor to say ${parts.join(" and ")}`,
    async () => {
      last = await ask("--server", trio.url("n1", "s"));
      return parts.every((part) => last?.lines.some((line) => line.includes(part))) && last;
    },
    () => JSON.stringify(last, null, 2),
  );
}

async function made(trio: JetStreamTrio, subject: string, body: object): Promise<void> {
  expect(await trio.ask("n1", subject, body)).not.toHaveProperty("error");
}

/** A stream with one copy, on this server: chance chooses where it is, so that some are made. */
async function keptOn(trio: JetStreamTrio, server: string, name: string): Promise<void> {
  await waitFor(`a stream on ${server}`, async () => {
    await made(trio, `STREAM.CREATE.${name}`, { name, subjects: [name] });
    if ((await trio.leaderOf("n1", name)) === server) return true;
    await trio.ask("n1", `STREAM.DELETE.${name}`);
    return false;
  });
}

/** R3 with a consumer, R1 on n3, and R1 on n1 with a consumer that is paused and one that has had as much as it may. */
async function prepare(trio: JetStreamTrio): Promise<void> {
  await made(trio, "STREAM.CREATE.three", { name: "three", subjects: ["three"], num_replicas: 3 });
  await keptOn(trio, "n3", "far");
  await keptOn(trio, "n1", "near");
  const consumer = async (stream: string, name: string, config: object): Promise<void> =>
    made(trio, `CONSUMER.CREATE.${stream}.${name}`, {
      stream_name: stream,
      config: { durable_name: name, ack_policy: "explicit", ...config },
    });
  await consumer("three", "c", {});
  await consumer("near", "paused", { pause_until: "2100-01-01T00:00:00Z" });
  await consumer("near", "held", { max_ack_pending: 1, ack_wait: 3_600_000_000_000 });
  const client = await trio.client("n1");
  for (let i = 0; i < 2; i++) await client.request("near", "hello", { timeout: PATIENCE_MS });
  // It comes on a subject of its own, not on that of the request.
  await client.request("$JS.API.CONSUMER.MSG.NEXT.near.held", "", { timeout: PATIENCE_MS, noMux: true });
}

const PAUSED = "idle: consumer A > near > paused: it is paused for another ";
const HELD = "idle: consumer A > near > held: 1 message is not acknowledged, which is its max_ack_pending";

describe.each(trioKinds)("%s", (kind) => {
  it(
    "is examined while it loses one server, and its majority",
    async () => {
      const trio = new JetStreamTrio(kind);
      trios.push(trio);
      await trio.start();
      await prepare(trio);
      const well = await waitFor("nothing to be unhealthy", async () => {
        const said = await ask("--server", trio.url("n1", "s"));
        return said.code === 0 && said.lines.length === 2 && said;
      });
      expect(well.lines).toEqual([expect.stringContaining(HELD), expect.stringContaining(PAUSED)]);
      expect(well.counts).toBe("3 servers, 3 streams, 3 consumers: 0 unhealthy, 2 idle");

      await trio.kill("n3");
      const one = await askUntil(trio, [
        "unhealthy: server n3: it belongs to the meta group and does not answer",
        "unhealthy: stream A > three: 2 of 3 copies are there (not on n3), and one fewer stops it. Start n3 again.",
        "unhealthy: consumer A > three > c: 2 of 3 copies are there (not on n3)",
        PAUSED,
        HELD,
        ...(trio.isShoal ? ["stream A > far: the only server that keeps it (n3) is not there"] : []),
      ]);
      expect(one.code).toBe(1);

      await trio.kill("n2");
      const two = await askUntil(trio, [
        "unhealthy: meta group C: no leader: 1 of its 3 servers answer, and 2 have to (n2, n3 do not)",
        "unhealthy: stream A > three: no leader: 1 of its 3 servers answer, and 2 have to (n2, n3 do not), and 1 consumer waits for it. Start 1 of n2, n3 again.",
        PAUSED,
        HELD,
      ]);
      expect(two.code).toBe(1);
      expect(two.problem).toBe("");

      const json = await ask("-s", trio.url("n1", "s"), "--json");
      const told = JSON.parse([...json.lines, json.counts].join("\n")) as { findings: readonly object[] };
      expect(told).toMatchObject({ status: "unhealthy", servers: 1 });
      expect(told.findings).toHaveLength(two.lines.length);
      if (trio.isShoal) await sameByHttp(trio, told.findings);
      expect(await ask("-s", trio.url("n1", "a"))).toMatchObject({
        code: 2,
        problem: expect.stringContaining("it has to belong to the system account") as string,
      });
    },
    TEST_TIMEOUT_MS,
  );
});

async function sameByHttp(trio: JetStreamTrio, findings: readonly object[]): Promise<void> {
  const kinds = (all: readonly object[]): string[] =>
    all.map((one) => `${(one as { kind: string }).kind} ${(one as { name: string }).name}`);
  await waitFor("the monitoring port to say the same", async () => {
    const { status, body } = await trio.monitor("n1", "doctorz");
    const told = body as { status: string; findings: readonly object[] };
    return (
      status === 200 &&
      told.status === "unhealthy" &&
      JSON.stringify(kinds(told.findings)) === JSON.stringify(kinds(findings))
    );
  });
}
