/** JetStream of accounts that an operator has signed: the limits of the claims hold on shoal and on nats-server alike. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { newAccount, OperatorKit, Requests, UNLIMITED } from "../support/operator-kit.ts";
import { ResolverServer } from "../support/resolver-server.ts";

requireNatsServer();

const kit = new OperatorKit();
const small = newAccount();
const SMALL = {
  mem_storage: 1024,
  disk_storage: 4096,
  streams: 2,
  consumer: 1,
  max_bytes_required: true,
};
const MORE = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
const termsOf = (jetStream: object): Readonly<Record<string, unknown>> => ({
  limits: { ...UNLIMITED, ...jetStream },
});
/** Limits of each tier; with R1 and without. */
const R1 = { mem_storage: 2048, disk_storage: 8192, streams: 2, consumer: 1, max_ack_pending: 50 };
const R3 = { mem_storage: 0, disk_storage: 65_536, streams: 10, consumer: 10, disk_max_stream_bytes: 4096 };
const tiered = newAccount();
const lacking = newAccount();
/** What accounts with tiers were told, by the kind of server. */
const told = new Map<string, unknown[]>();

for (const { name: kind, command } of bothServers) {
  describe(`JetStream of signed accounts on ${kind}`, () => {
    let server: ResolverServer;
    beforeAll(async () => {
      const lines = (folder: string): string =>
        `jetstream { store_dir: ${JSON.stringify(join(folder, "js"))} }`;
      server = await ResolverServer.start({ command, kit, lines });
      await server.push(small, termsOf(SMALL));
    });
    afterAll(() => server.stop());

    const create = async (client: Requests, name: string, more: object): Promise<number> => {
      const config = {
        name,
        subjects: [name],
        retention: "limits",
        max_consumers: -1,
        num_replicas: 1,
        ...more,
      };
      const answer = await client.ask(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify(config));
      return (JSON.parse(answer) as { error?: { err_code: number } }).error?.err_code ?? 0;
    };

    it("holds streams to the limits of the claims, and to new ones", async () => {
      const client = await Requests.connect(server.port, small);
      const { limits } = JSON.parse(await client.ask("$JS.API.INFO")) as {
        limits: object;
      };
      expect(limits).toMatchObject({
        max_memory: 1024,
        max_storage: 4096,
        max_streams: 2,
        max_consumers: 1,
      });
      expect(await create(client, "A", { storage: "file" })).toBe(10113);
      expect(await create(client, "A", { storage: "file", max_bytes: 2048 })).toBe(0);
      expect(await create(client, "B", { storage: "file", max_bytes: 4096 })).toBe(10047);
      expect(await create(client, "B", { storage: "memory", max_bytes: 512 })).toBe(0);
      expect(await create(client, "C", { storage: "file", max_bytes: 1 })).toBe(10027);
      const consume = async (name: string): Promise<number> => {
        const body = { stream_name: "A", config: { durable_name: name, ack_policy: "explicit" } };
        const answer = await client.ask(`$JS.API.CONSUMER.CREATE.A.${name}`, JSON.stringify(body));
        return (JSON.parse(answer) as { error?: { err_code: number } }).error?.err_code ?? 0;
      };
      expect([await consume("one"), await consume("two")]).toEqual([0, 10026]);
      await server.push(small, termsOf(MORE));
      expect(await consume("two")).toBe(0);
      expect(await create(client, "C", { storage: "file", max_bytes: 8192 })).toBe(0);
      client.close();
    });

    it("shows tiers, and holds streams to that of one replica", async () => {
      const nothing = { mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 };
      await server.push(tiered, termsOf({ ...nothing, tiered_limits: { R1, R3 } }));
      await server.push(lacking, termsOf({ ...nothing, tiered_limits: { R3 } }));
      const answers: unknown[] = [];
      for (const account of [tiered, lacking]) {
        const client = await Requests.connect(server.port, account);
        const ask = async (subject: string, body: unknown = ""): Promise<void> => {
          const payload = typeof body === "string" ? body : JSON.stringify(body);
          const answer = JSON.parse(await client.ask(`$JS.API.${subject}`, payload)) as Record<
            string,
            unknown
          >;
          answers.push([subject, answer["error"] ?? (subject === "INFO" ? withoutNumbers(answer) : "taken")]);
        };
        await ask("INFO");
        for (const [name, more] of [
          ["A", { max_bytes: 4096 }],
          ["B", { max_bytes: 4096, storage: "memory" }],
          ["B", { max_bytes: 8192 }],
          ["B", { num_replicas: 3 }],
          ["B", { storage: "memory" }],
          ["C", {}],
        ] as const) {
          const config = { name, subjects: [name], storage: "file", num_replicas: 1, ...more };
          await ask(`STREAM.CREATE.${name}`, config);
        }
        for (const name of ["one", "two"]) {
          const config = { name, durable_name: name, ack_policy: "explicit" };
          await ask(`CONSUMER.CREATE.A.${name}`, { stream_name: "A", config });
        }
        await ask("INFO");
        client.close();
      }
      told.set(kind, answers);
    });
  });
}

/** How many requests there were is no affair of tiers; nor is the level. */
function withoutNumbers(info: Record<string, unknown>): Record<string, unknown> {
  return { ...info, api: undefined };
}

it.skipIf(bothServers.length < 2)("tiers are alike on both servers", () => {
  const [own, theirs] = bothServers.map(({ name }) => told.get(name));
  expect(theirs).toBeDefined();
  expect(own).toEqual(theirs);
});
