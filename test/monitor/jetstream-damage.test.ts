/** A server that starts on a damaged store: what is intact is served, and what is not is named by health, metrics and stream info. Nothing is deleted. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { Exposition } from "../support/exposition.ts";
import { startInProcess } from "../support/in-process-server.ts";
import { PATIENT } from "../support/patience.ts";
import { cleanup, start } from "./monitored.ts";

const STREAMS = "/store/jetstream/%24G/streams";
const jetStream = { isEnabled: true, storeDir: "/store" };

async function api(
  client: NatsConnection,
  subject: string,
  payload: object,
): Promise<Record<string, unknown>> {
  return (await client.request(`$JS.API.${subject}`, JSON.stringify(payload), PATIENT)).json();
}

/** Two streams with messages, closed. */
async function fill(disk: MemoryDisk): Promise<void> {
  await using server = await startInProcess({ jetStream }, disk);
  const client = await connect({ servers: server.url });
  for (const name of ["S", "T"]) {
    expect(await api(client, `STREAM.CREATE.${name}`, { name, subjects: [name] })).not.toHaveProperty(
      "error",
    );
    for (let i = 1; i <= 3; i++) await client.request(name, `message ${i} of ${name}`, PATIENT);
  }
  await client.close();
}

describe("a damaged store", () => {
  it("is served as far as it is intact, and what is lost or put aside is named", async () => {
    const disk = new MemoryDisk();
    await fill(disk);
    const [block] = disk.names(`${STREAMS}/S/msgs`);
    const content = Buffer.from(disk.read(`${STREAMS}/S/msgs/${block}`)!);
    content[content.indexOf("message 2 of S")]! ^= 1;
    disk.replace(`${STREAMS}/S/msgs/${block}`, content);
    disk.replace(`${STREAMS}/T/meta.json`, Buffer.from("garbage"));

    const { url, base } = await start({ jetStream }, disk);
    const client = await connect({ servers: url });
    cleanup.push(() => client.close());
    expect(await api(client, "STREAM.MSG.GET.S", { seq: 2 })).toMatchObject({ error: { err_code: 10037 } });
    for (const seq of [1, 3])
      expect(await api(client, "STREAM.MSG.GET.S", { seq })).toMatchObject({ message: { seq } });
    const info = await api(client, "STREAM.INFO.S", {});
    expect(info).toMatchObject({ state: { messages: 2, lost: { msgs: [2] } } });
    expect((await api(client, "STREAM.NAMES", {}))["streams"]).toEqual(["S"]);

    const folder = "/store/jetstream/%24G/quarantine";
    const [aside] = disk.names(folder);
    expect(disk.names(`${folder}/${aside}/msgs`).length).toBeGreaterThan(0);
    const health = await fetch(`${base}/healthz?details=1`);
    expect([health.status, await health.json()]).toEqual([
      200,
      {
        status: "ok",
        damage: [
          { account: "$G", stream: "S", lost_msgs: 1 },
          { account: "$G", quarantine: `${folder}/${aside}` },
        ],
      },
    ]);
    const seen = await Exposition.scrape(`${base}/metrics`);
    const labels = { account: "$G", stream: "S" };
    expect(seen.value("nats_jetstream_lost_messages", labels)).toBe(1);
    expect(seen.value("nats_jetstream_lost_bytes", labels)).toBeGreaterThan("message 2 of S".length);
    expect(seen.value("nats_jetstream_quarantined_folders")).toBe(1);
  });
});
