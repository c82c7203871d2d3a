/** Backups that a cluster takes in, on the virtual clock: whole, damaged and interrupted, of both forms. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { save, type Backup } from "../../support/backups.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";
import { QuietCluster, type Fields } from "../../support/quiet-cluster.ts";

const CHUNK_BYTES = 16 * 1024;
const SAVED = new URL("./saved-by-nats-server-2.14/", import.meta.url);

/** Made by nats-server 2.14. */
function oldBackup(): Backup {
  const { config } = JSON.parse(readFileSync(new URL("backup.json", SAVED), "latin1")) as {
    config: Record<string, unknown>;
  };
  return { config, bytes: readFileSync(new URL("stream.tar.s2", SAVED)) };
}

/** Messages with gaps, a consumer that waits for some of them, and one whose state is in memory. */
function backupOf(storage: string, more: Fields = {}): Backup {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s.>"], storage, ...more });
  for (const name of ["c", "memory"])
    stack.request(`CONSUMER.DURABLE.CREATE.S.${name}`, {
      stream_name: "S",
      config: {
        durable_name: name,
        ack_policy: "explicit",
        ack_wait: 3600e9,
        mem_storage: name === "memory",
      },
    });
  for (let i = 1; i <= 50; i++) stack.publish(`s.${i % 3}`, `message ${i}`);
  for (const seq of [1, 20, 50]) stack.request("STREAM.MSG.DELETE.S", { seq });
  for (const name of ["c", "memory"]) stack.ask(`$JS.API.CONSUMER.MSG.NEXT.S.${name}`, { batch: 5 });
  return save(stack, "S");
}

/** Sends chunks up to `count`; the last answer that came. */
function send(cluster: QuietCluster, to: string, bytes: Buffer, at: string, count = Infinity): Fields {
  let answer: Fields = {};
  for (let i = 0; i < count && i * CHUNK_BYTES <= bytes.length; i++) {
    const chunk = bytes.toString("latin1", i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES);
    answer = cluster.until("an answer to a chunk", cluster.asked(to, chunk, at));
    if (answer["error"] !== undefined) return answer;
  }
  if (count === Infinity && bytes.length % CHUNK_BYTES !== 0)
    answer = cluster.until("an answer to the end", cluster.asked(to, "", at));
  return answer;
}

function begin(cluster: QuietCluster, { config }: Backup, replicas: number, at = "n1"): Fields {
  const asked = { config: { ...config, num_replicas: replicas }, state: {} };
  return cluster.ask(`STREAM.RESTORE.${String(config["name"])}`, asked, at);
}

function restore(cluster: QuietCluster, backup: Backup, replicas: number, at = "n1"): Fields {
  const { deliver_subject: to, error } = begin(cluster, backup, replicas, at);
  return error === undefined ? send(cluster, String(to), backup.bytes, at) : { error };
}

function consumers(cluster: QuietCluster): unknown[] {
  return ["c", "memory"].map((name) => {
    const info = cluster.ask(`CONSUMER.INFO.S.${name}`);
    return [info["name"], info["delivered"], info["num_ack_pending"], info["num_pending"], info["error"]];
  });
}

/** Nothing is left of a restore on any server. */
function expectNothing(cluster: QuietCluster): void {
  expect(cluster.ask("STREAM.NAMES")["streams"] ?? []).toEqual([]);
  for (const server of cluster.servers) {
    const disk = server["disk"];
    for (const folder of ["streams", "offered", "restoring"])
      expect(disk.names(`/js/A/${folder}`), `${server.name} ${folder}`).toEqual([]);
    expect(server.cluster!.offers.count).toBe(0);
  }
}

const KINDS = [1, 3].flatMap((replicas) => ["file", "memory"].map((storage) => [replicas, storage] as const));

describe("a backup that a cluster takes in", () => {
  it.each(KINDS)("becomes a stream of %d replicas in %s, with its consumers", (replicas, storage) => {
    const cluster = new QuietCluster().start();
    const answer = restore(cluster, backupOf(storage), replicas, "n2");
    expect(answer).toMatchObject({ type: "io.nats.jetstream.api.v1.stream_create_response" });
    expect(answer).toMatchObject({
      config: { num_replicas: replicas },
      state: { messages: 47, last_seq: 50 },
    });
    expect(answer).not.toHaveProperty("did_create");
    cluster.until("all copies", () => cluster.keepers("S").length === replicas);
    const [first, ...others] = cluster.keepers("S");
    const whole = cluster.contents(first!, "S");
    expect(whole).toHaveLength(47);
    for (const other of others)
      cluster.until(`${other} to have everything`, () => cluster.contents(other, "S")!.length === 47);
    for (const other of others) expect(cluster.contents(other, "S")).toEqual(whole);
    const position = { consumer_seq: 5, stream_seq: 6 };
    const seen = ["c", "memory"].map((name) => [name, expect.objectContaining(position), 5, 42, undefined]);
    expect(consumers(cluster)).toEqual(seen);
    cluster.publish("s.1", "next");
    expect(cluster.ask("STREAM.INFO.S")).toMatchObject({ state: { last_seq: 51 } });
  });

  it("has as many copies in the end as it is to have, and is led by another server when the first one is killed", () => {
    const cluster = new QuietCluster().start();
    restore(cluster, backupOf("file"), 3);
    cluster.until("the change of members to end", () =>
      cluster.servers.every(({ cluster: of }) => {
        const placed = of!.meta.assignments.stream("A", "S");
        const groups = [placed?.assignment.group, placed?.consumers.get("c")?.group];
        return groups.every((group) => group?.desired === undefined && group?.peers.length === 3);
      }),
    );
    const { cluster: of } = cluster.ask("STREAM.INFO.S") as { cluster: { leader: string } };
    cluster.kill(of.leader);
    cluster.until("another leader", () => {
      const alive = cluster.servers.filter(({ isAlive }) => isAlive);
      return alive.some((one) => one.cluster!.assets.standing("A", "S", "") === "leads");
    });
    cluster.publish("s.1", "next");
    for (const { name } of cluster.servers.filter(({ isAlive }) => isAlive))
      cluster.until(`${name} to have it`, () => cluster.contents(name, "S")!.length === 48);
    expect(consumers(cluster)[0]).toMatchObject(["c", { stream_seq: 6 }, 5, 43, undefined]);
  });

  it("may come from nats-server 2.14", () => {
    const cluster = new QuietCluster().start();
    const { config, bytes } = oldBackup();
    const answer = restore(cluster, { config: { ...config, retention: "limits" }, bytes }, 3, "n3");
    expect(answer["error"]).toBeUndefined();
    const { messages } = answer["state"] as { messages: number };
    for (const { name } of cluster.servers)
      cluster.until(`${name} to have everything`, () => cluster.contents(name, "S")?.length === messages);
  });

  it.each([1, 3])(
    "and is damaged or cut off leaves nothing with %d replicas, and may come again",
    (replicas) => {
      const cluster = new QuietCluster().start();
      const backup = backupOf("file");
      const { bytes } = backup;
      const flipped = Buffer.from(bytes);
      flipped[bytes.length >> 1]! ^= 1;
      for (const damaged of [bytes.subarray(0, bytes.length >> 1), Buffer.alloc(0), flipped]) {
        const answer = restore(cluster, { ...backup, bytes: damaged }, replicas);
        expect(answer["error"]).toMatchObject({ err_code: 10_062 });
        expectNothing(cluster);
      }
      expect(restore(cluster, backup, replicas)["error"]).toBeUndefined();
    },
  );

  it("and stops in the middle leaves nothing", () => {
    const cluster = new QuietCluster().start();
    const backup = backupOf("file", { metadata: { "shoal.backup": "2.14" } });
    const { deliver_subject: to } = begin(cluster, backup, 3);
    send(cluster, String(to), backup.bytes.subarray(0, 100), "n1", 1);
    cluster.advance(6000);
    expectNothing(cluster);
  });

  it("leaves nothing when the server that takes it in is killed", () => {
    const cluster = new QuietCluster().start();
    const backup = backupOf("file");
    const { deliver_subject: to } = begin(cluster, backup, 3);
    const taker = cluster.servers.find((one) => one["ears"].some(({ subject }) => subject === to))!;
    const other = cluster.servers.find((one) => one !== taker)!;
    send(cluster, String(to), backup.bytes, other.name, 1);
    expect(taker["disk"].names("/js/A/restoring")).toEqual(["S"]);
    cluster.kill(taker.name);
    cluster.advance(15_000);
    taker.start();
    cluster.until("it to follow again", () => taker.cluster!.meta.isCurrent);
    expectNothing(cluster);
    expect(restore(cluster, backup, 3)["error"]).toBeUndefined();
  });

  it("is complete or nothing where servers are killed at its end, whenever that is", () => {
    const backup = backupOf("file");
    for (let waitMs = 0; waitMs < 40; waitMs += 8) {
      const cluster = new QuietCluster().start();
      const { deliver_subject: to } = begin(cluster, backup, 3);
      send(cluster, String(to), backup.bytes, "n1", Math.ceil(backup.bytes.length / CHUNK_BYTES));
      cluster.asked(String(to), "", "n1");
      cluster.advance(waitMs);
      for (const { name } of cluster.servers) cluster.kill(name);
      for (const server of cluster.servers) server.start();
      cluster.until("all to follow again", () => cluster.servers.every((one) => one.cluster!.meta.isCurrent));
      cluster.advance(20_000);
      const names = cluster.ask("STREAM.NAMES")["streams"] ?? [];
      if (JSON.stringify(names) === "[]") expectNothing(cluster);
      else {
        for (const { name } of cluster.servers)
          expect(cluster.contents(name, "S"), `${name} after ${waitMs} ms`).toHaveLength(47);
        expect(consumers(cluster)[0]).toMatchObject(["c", { stream_seq: 6 }, 5, 42, undefined]);
      }
    }
  });

  it("goes on under another leader of the group of all servers", () => {
    const cluster = new QuietCluster().start();
    const backup = backupOf("file");
    const { deliver_subject: to } = begin(cluster, backup, 3);
    const taker = cluster.servers.find((one) => one["ears"].some(({ subject }) => subject === to))!;
    const leader = cluster.servers.find((one) => one.cluster!.meta.leads)!;
    leader.cluster!.meta.group!.transfer("");
    cluster.until("another leader", () =>
      cluster.servers.some((one) => one !== leader && one.cluster!.meta.leads),
    );
    expect(send(cluster, String(to), backup.bytes, taker.name)["error"]).toBeUndefined();
    cluster.until("all copies", () => cluster.keepers("S").length === 3);
  });

  it("does not take the name of a stream, whether that was there before or has come meanwhile", () => {
    const cluster = new QuietCluster().start();
    const backup = backupOf("file");
    const { deliver_subject: to } = begin(cluster, backup, 1);
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["other"], num_replicas: 3 });
    expect(begin(cluster, backup, 1)).toMatchObject({ error: { err_code: 10_130 }, deliver_subject: "" });
    expect(send(cluster, String(to), backup.bytes, "n1")["error"]).toMatchObject({ err_code: 10_130 });
    expect(cluster.ask("STREAM.INFO.S")).toMatchObject({ config: { subjects: ["other"] } });
    for (const server of cluster.servers) {
      expect(server["disk"].names("/js/A/offered")).toEqual([]);
      expect(server["disk"].names("/js/A/quarantine")).toEqual([]);
    }
  });

  it("is refused where its subjects are those of another stream, or there are too few servers", () => {
    const cluster = new QuietCluster().start();
    const backup = backupOf("file");
    cluster.ask("STREAM.CREATE.T", { name: "T", subjects: ["s.1"] });
    expect(begin(cluster, backup, 1)["error"]).toMatchObject({ err_code: 10_065 });
    cluster.ask("STREAM.DELETE.T");
    expect(begin(cluster, backup, 5)["error"]).toMatchObject({ err_code: 10_005 });
    expectNothing(cluster);
  });
});
