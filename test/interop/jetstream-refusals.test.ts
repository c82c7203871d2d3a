/** What an account without JetStream is answered by a server that has it: the same on shoal and on nats-server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

requireNatsServer();

const NOT_ENABLED = { code: 503, err_code: 10039, description: "JetStream not enabled for account" };
const NO_CLUSTER = { code: 503, err_code: 10010, description: "JetStream clustering support required" };
const PAGE = { total: 0, offset: 0, limit: 0 };

/** By subject behind `$JS.API.`: the type, and what stands in the answer beside the refusal. */
const REFUSED: Readonly<Record<string, readonly [string, object?]>> = {
  INFO: ["account_info"],
  "STREAM.NAMES": ["stream_names", { ...PAGE, streams: null }],
  "STREAM.LIST": ["stream_list", { ...PAGE, streams: [] }],
  "STREAM.INFO.S": ["stream_info", PAGE],
  "STREAM.CREATE.S": ["stream_create"],
  "STREAM.UPDATE.S": ["stream_update"],
  "STREAM.DELETE.S": ["stream_delete"],
  "STREAM.PURGE.S": ["stream_purge", { purged: 0 }],
  "STREAM.SNAPSHOT.S": ["stream_snapshot"],
  "STREAM.RESTORE.S": ["stream_restore", { deliver_subject: "" }],
  "STREAM.MSG.GET.S": ["stream_msg_get"],
  "STREAM.MSG.DELETE.S": ["stream_msg_delete"],
  "CONSUMER.NAMES.S": ["consumer_names", { ...PAGE, consumers: [] }],
  "CONSUMER.LIST.S": ["consumer_list", { ...PAGE, consumers: [] }],
  "CONSUMER.INFO.S.C": ["consumer_info"],
  "CONSUMER.CREATE.S": ["consumer_create"],
  "CONSUMER.CREATE.S.C.f": ["consumer_create"],
  "CONSUMER.DURABLE.CREATE.S.C": ["consumer_create"],
  "CONSUMER.DELETE.S.C": ["consumer_delete"],
  "CONSUMER.PAUSE.S.C": ["consumer_pause", { paused: false, pause_until: "0001-01-01T00:00:00Z" }],
};
const OF_CLUSTERS: Readonly<Record<string, string>> = {
  "STREAM.LEADER.STEPDOWN.S": "stream_leader_stepdown",
  "STREAM.PEER.REMOVE.S": "stream_remove_peer",
  "CONSUMER.LEADER.STEPDOWN.S.C": "consumer_leader_stepdown",
};

const config = (folder: string, none: string): string => `jetstream { store_dir: ${JSON.stringify(folder)} }
accounts {
  JS { jetstream: enabled, users: [{user: js, password: p}], exports: [{service: "$JS.API.>"}] }
  NONE { users: [{user: none, password: p}], ${none} }
  GUEST { users: [{user: guest, password: p}], imports: [{service: {account: JS, subject: "$JS.API.>"}}] }
  SYS { users: [{user: sys, password: p}] }
}
system_account: SYS`;

for (const { name: kind, command } of bothServers) {
  describe(`an account without JetStream on ${kind}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-refusals-"));
    const clients: NatsConnection[] = [];
    let server: ServerProcess;
    const ask = async (user: string, subject: string): Promise<unknown> => {
      const client = await connect({ servers: `127.0.0.1:${server.port}`, user, pass: "p" });
      clients.push(client);
      return (await client.request(`$JS.API.${subject}`, "", PATIENT)).json();
    };
    beforeAll(async () => {
      server = await startServer(command, config(folder, ""));
    });
    afterAll(async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it.each(Object.entries(REFUSED))("is refused %s", async (subject, [type, rest = {}]) => {
      expect(await ask("none", subject)).toEqual({
        type: `io.nats.jetstream.api.v1.${type}_response`,
        error: NOT_ENABLED,
        ...rest,
      });
    });

    it.each(Object.entries(OF_CLUSTERS))("is refused %s for want of a cluster", async (subject, type) => {
      expect(await ask("none", subject)).toEqual({
        type: `io.nats.jetstream.api.v1.${type}_response`,
        error: NO_CLUSTER,
      });
    });

    it.each(["CONSUMER.MSG.NEXT.S.C", "DIRECT.GET.S", "DIRECT.GET.S.x"])(
      "finds nobody for %s",
      async (subject) => {
        await expect(ask("none", subject)).rejects.toThrow(/no responders/);
      },
    );

    it("is answered by another account where it imports its JetStream, once", async () => {
      const client = await connect({ servers: `127.0.0.1:${server.port}`, user: "guest", pass: "p" });
      clients.push(client);
      const answers = client.subscribe("answers");
      client.publish("$JS.API.STREAM.LIST", "", { reply: "answers" });
      client.publish("$JS.API.STREAM.NAMES", "", { reply: "answers" });
      const types: string[] = [];
      const errors: unknown[] = [];
      for await (const answer of answers) {
        const { type, error } = answer.json<{ type: string; error?: object }>();
        types.push(type);
        errors.push(error);
        if (types.length === 2) break;
      }
      expect(types.toSorted((a, b) => a.localeCompare(b))).toEqual([
        "io.nats.jetstream.api.v1.stream_list_response",
        "io.nats.jetstream.api.v1.stream_names_response",
      ]);
      expect(errors).toEqual([undefined, undefined]);
    });

    it("is refused in general words where it is the system account", async () => {
      expect(await ask("sys", "INFO")).toEqual({
        type: "io.nats.jetstream.api.v1.account_info_response",
        error: NOT_ENABLED,
      });
      for (const subject of ["STREAM.LIST", "STREAM.PEER.REMOVE.S", "CONSUMER.MSG.NEXT.S.C", "NOTHING"])
        expect(await ask("sys", subject)).toEqual({
          type: "io.nats.jetstream.api.v1.system_response",
          error: NOT_ENABLED,
        });
    });

    it("is answered when a reload has it import JetStream, and refused again when it no longer does", async () => {
      const imports = `imports: [{service: {account: JS, subject: "$JS.API.>"}}]`;
      expect(await server.reload(config(folder, imports))).toBe("reloaded");
      expect(await ask("none", "STREAM.NAMES")).toMatchObject({ total: 0, limit: 1024 });
      expect(await server.reload(config(folder, ""))).toBe("reloaded");
      expect(await ask("none", "STREAM.NAMES")).toMatchObject({ error: NOT_ENABLED });
    });
  });
}
