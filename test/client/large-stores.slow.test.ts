/**
 * Large stores by the official client, on shoal and on a real nats-server: a key-value store of a million keys, listed and watched, and an
 * object of 1 GiB. How long each step took stands beside its name in the report.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { Kvm, type KV } from "@nats-io/kv";
import { Objm, type ObjectStore } from "@nats-io/obj";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";

const KEYS = Number(process.env["SHOAL_LARGE_KEYS"] ?? 1_000_000);
/** Puts under way. */
const WINDOW = 2000;
const OBJECT_BYTES = Number(process.env["SHOAL_LARGE_MIB"] ?? 1024) * 1024 ** 2;
const PIECE = Buffer.alloc(1024 * 1024, "0123456789abcdef");
const STEP_MS = 900_000;
const PATIENT_CLIENT = { timeout: 120_000 };

const keyOf = (i: number): string => `users.${i % 1000}.n${i}`;

describe.each(bothServers)("large stores on $name", { timeout: STEP_MS }, ({ command }) => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-large-"));
  let server: ServerProcess;
  let client: NatsConnection;

  beforeAll(async () => {
    server = await startServer(command, `jetstream { store_dir: ${JSON.stringify(folder)}, max_file: 8G }`);
    client = await connect({ servers: `127.0.0.1:${server.port}` });
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("a key-value store of a million keys", () => {
    let kv: KV;

    it("takes them", async () => {
      kv = await new Kvm(jetstream(client, PATIENT_CLIENT)).create("million");
      const underWay = new Set<Promise<unknown>>();
      for (let i = 0; i < KEYS; i++) {
        const put: Promise<unknown> = kv.put(keyOf(i), `value ${i}`).finally(() => underWay.delete(put));
        underWay.add(put);
        if (underWay.size >= WINDOW) await Promise.race(underWay);
      }
      await Promise.all(underWay);
      expect((await kv.status()).values).toBe(KEYS);
    });

    it("lists them, each once", async () => {
      const seen = new Set<string>();
      let count = 0;
      for await (const key of await kv.keys()) {
        seen.add(key);
        count++;
      }
      expect([count, seen.size, seen.has(keyOf(0)), seen.has(keyOf(KEYS - 1))]).toEqual([
        KEYS,
        KEYS,
        true,
        true,
      ]);
    });

    it("lists those of a filter", async () => {
      const keys: string[] = [];
      for await (const key of await kv.keys("users.7.*")) keys.push(key);
      expect([keys.length, keys.includes(keyOf(1007))]).toEqual([KEYS / 1000, true]);
    });

    it("hands them to a watcher with their values, and then what changes", async () => {
      const watcher = await kv.watch();
      let count = 0;
      let last = "";
      for await (const entry of watcher) {
        count++;
        last = entry.string();
        if (count === KEYS) await kv.put("users.new", "the newest");
        if (entry.key === "users.new") break;
      }
      expect([count, last]).toEqual([KEYS + 1, "the newest"]);
    });

    it("answers gets with the newest value", async () => {
      await kv.put(keyOf(500), "changed");
      const [changed, other] = [await kv.get(keyOf(500)), await kv.get(keyOf(KEYS - 2))];
      expect([changed?.string(), other?.string()]).toEqual(["changed", `value ${KEYS - 2}`]);
    });
  });

  describe("an object of 1 GiB", () => {
    let store: ObjectStore;
    const digest = createHash("sha256");
    for (let sent = 0; sent < OBJECT_BYTES; sent += PIECE.length) digest.update(PIECE);
    const wanted = digest.digest("hex");

    it("is taken", async () => {
      store = await new Objm(jetstream(client, PATIENT_CLIENT)).create("large");
      let sent = 0;
      const content = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (sent === OBJECT_BYTES) return controller.close();
          controller.enqueue(PIECE);
          sent += PIECE.length;
        },
      });
      const info = await store.put({ name: "gibibyte" }, content, PATIENT_CLIENT);
      expect([info.size, Number(info.chunks)]).toEqual([OBJECT_BYTES, OBJECT_BYTES / (128 * 1024)]);
    });

    it("is handed out whole", async () => {
      const object = await store.get("gibibyte");
      const hash = createHash("sha256");
      let received = 0;
      const reader = object!.data.getReader();
      for (let part = await reader.read(); part.done !== true; part = await reader.read()) {
        hash.update(part.value);
        received += part.value.length;
      }
      expect((await object!.error) ?? null).toBeNull();
      expect([received, hash.digest("hex")]).toEqual([OBJECT_BYTES, wanted]);
    });

    it("is deleted, and its room is free again", async () => {
      await store.delete("gibibyte");
      expect((await store.status()).size).toBeLessThan(1024 * 1024);
    });
  });
});
