/**
 * A deployment that the real `nsc` has made, with three accounts, scoped signing keys, revocations, imports with activations and JetStream
 * limits: it runs on shoal and on nats-server unchanged, and the same conversations get the same answers.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { PATIENT } from "../support/patience.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { findNsc, NscHome } from "../support/nsc.ts";

requireNatsServer();

const nsc = findNsc();
const nats = findNatsCli();
const MIB = 1 << 20;
/** How long `nsc` collects answers each time: it does not know how many will come. */
const PATIENTLY = "--timeout 3";

/** All but the activation, which needs the key of the importer. */
const DEPLOYMENT = [
  "edit operator --require-signing-keys",
  ...["orders", "billing", "visitors"].flatMap((name) => [
    `add account ${name}`,
    `edit account ${name} --sk generate`,
  ]),
  `edit account orders --js-mem-storage ${MIB} --js-disk-storage ${MIB} --js-streams 1 --js-consumer 1`,
  "edit account orders --conns 20 --tag region:eu",
  "edit account visitors --conns 2 --subscriptions 3 --payload 1024",
  "add user --account orders --name ann",
  "add user --account billing --name bea",
  "add user --account visitors --name vic --allow-pub open.> --allow-sub open.>,_INBOX.>",
  "add user --account visitors --name rex",
  "edit signing-key --account orders --sk generate --role worker --allow-pubsub {{account-tag(region)}}.{{name()}}.>,_INBOX.>",
  "add user --account orders --name wes -K worker",
  "revocations add-user --account visitors --name rex",
  "add export --account orders --name private --subject orders.> --private",
  "add export --account orders --name price --subject price.* --service",
];

async function deploy(home: NscHome): Promise<void> {
  await home.makeOperator();
  await home.each(DEPLOYMENT);
  const [orders, billing] = [await home.keyOf("orders"), await home.keyOf("billing")];
  const token = join(home.folder, "activation.jwt");
  const about = `--account orders --subject orders.> --target-account ${billing}`;
  await home.nsc(`generate activation ${about} -o`, token);
  await home.nsc("add import --account billing --local-subject from.orders.> --token", token);
  const service = `--src-account ${orders} --remote-subject price.* --service --local-subject ask.*`;
  await home.nsc(`add import --account billing ${service}`);
}

/** What a tool says, without what differs from run to run: names, and the order of accounts. */
function steady(output: string, port: number): readonly string[] {
  const named = output.replaceAll(/\bN[A-Z2-7]{55}\b/g, "SERVER").replaceAll(String(port), "PORT");
  const lines = named.replaceAll(/(?:pulled|stored account) "(\w+)".*/g, "has $1").split("\n");
  return [...new Set(lines.map((line) => line.trim()))].toSorted();
}

const said = new Map<string, Map<string, readonly string[]>>();

describe.skipIf(nsc === undefined || nats === undefined)("a deployment by nsc", () => {
  let home: NscHome;
  beforeAll(async () => {
    home = new NscHome(nsc!);
    await deploy(home);
    home.keep();
  });
  afterAll(() => home[Symbol.dispose]());

  describe.each(bothServers)("on $name", ({ name: kind, command }) => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-deployed-"));
    const directory = join(folder, "jwt");
    const open: NatsConnection[] = [];
    const serverName = "deployed";
    let server: ServerProcess;
    /** What `nsc` says is compared between the servers at the end. */
    const nscSays = async (words: string): Promise<void> => {
      const output = await home.nsc(words.replace("URL", `nats://127.0.0.1:${server.port} ${PATIENTLY}`));
      const outputs = said.get(kind) ?? new Map<string, readonly string[]>();
      said.set(kind, outputs.set(words, steady(output, server.port)));
    };
    const enter = async (account: string, user: string): Promise<NatsConnection> => {
      const authenticator = credsAuthenticator(readFileSync(home.credentials(account, user)));
      const servers = `127.0.0.1:${server.port}`;
      const client = await connect({ servers, authenticator, reconnect: false });
      open.push(client);
      return client;
    };
    beforeAll(async () => {
      home.restore();
      const streams = `jetstream { store_dir: ${JSON.stringify(join(folder, "js"))} }`;
      const config = await home.serverConfig("--nats-resolver", directory);
      server = await startServer(command, `${config}\n${streams}\nserver_name: ${serverName}`);
      await nscSays("push --all -u URL");
    });
    afterEach(async () => Promise.all(open.splice(0).map((client) => client.close())));
    afterAll(async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it("takes all accounts, and gives them back", async () => {
      for (const account of ["orders", "billing", "visitors", "SYS"])
        expect(readdirSync(directory)).toContain(`${await home.keyOf(account)}.jwt`);
      await home.nsc(`edit operator --account-jwt-server-url nats://127.0.0.1:${server.port}`);
      await nscSays("pull --all");
    });

    it("carries streams by an activation, and services to everybody", async () => {
      const [ann, bea, vic] = [
        await enter("orders", "ann"),
        await enter("billing", "bea"),
        await enter("visitors", "vic"),
      ];
      const [here, there] = [new Inbox(bea, "from.orders.>"), new Inbox(vic, "open.>")];
      ann.subscribe("price.*", { callback: (_error, message) => void message.respond(message.subject) });
      await Promise.all([ann, bea, vic].map((client) => client.flush()));
      ann.publish("orders.one", "1");
      expect((await bea.request("ask.tea", "", PATIENT)).string()).toBe("price.tea");
      await waitFor("the message of the exporter", () => here.messages.length > 0);
      expect(here.messages.map(({ subject }) => subject)).toEqual(["from.orders.one"]);
      await vic.flush();
      expect(there.messages).toEqual([]);
    });

    it("refuses the revoked, and holds scoped users to their role", async () => {
      await expect(enter("visitors", "rex")).rejects.toThrow("Authorization Violation");
      const wes = await enter("orders", "wes");
      const problems: string[] = [];
      const watch = async (): Promise<void> => {
        for await (const one of wes.status()) if (one.type === "error") problems.push(one.error.message);
      };
      void watch();
      const own = new Inbox(wes, "eu.wes.>");
      for (const subject of ["eu.wes.x", "eu.ann.x", "orders.x"]) wes.publish(subject);
      await wes.flush();
      await waitFor("both refusals", () => problems.length === 2);
      expect(own.messages.map(({ subject }) => subject)).toEqual(["eu.wes.x"]);
      expect(problems).toEqual(
        ["eu.ann.x", "orders.x"].map((subject) => `Permissions Violation for Publish to "${subject}"`),
      );
    });

    it("holds accounts to their limits", async () => {
      const ann = await jetstreamManager(await enter("orders", "ann"));
      await ann.streams.add({ name: "A", subjects: ["a"], max_bytes: 1024 });
      const second = ann.streams.add({ name: "B", subjects: ["b"], max_bytes: 1024 });
      await expect(second).rejects.toThrow("maximum number of streams reached");
      const large = ann.streams.update("A", { max_bytes: 2 * MIB });
      await expect(large).rejects.toThrow("insufficient storage resources available");
      const { limits, streams } = await ann.getAccountInfo();
      expect([streams, limits.max_storage, limits.max_memory, limits.max_streams]).toEqual([1, MIB, MIB, 1]);
      const bea = jetstreamManager(await enter("billing", "bea"));
      await expect(bea).rejects.toThrow(/not enabled/);
      const others = [await enter("visitors", "vic"), await enter("visitors", "vic")];
      // The client may find the connection closed before it has read why.
      const third = enter("visitors", "vic");
      await expect(third).rejects.toThrow(/maximum account active connections|EPIPE|ECONNRESET|closed/i);
      expect(others.map(({ info }) => info?.max_payload)).toEqual([1024, 1024]);
    });

    it("serves the nats tool by contexts", async () => {
      const tool = async (words: string): Promise<string> =>
        new NatsCommand(nats!, null, words.split(" ")).done();
      const context = async (account: string, user: string): Promise<string> => {
        const name = `${user}-${server.port}`;
        const creds = `--creds ${home.credentials(account, user)}`;
        await tool(`context save ${name} --server nats://127.0.0.1:${server.port} ${creds}`);
        return name;
      };
      const [ann, bea, sys] = [
        await context("orders", "ann"),
        await context("billing", "bea"),
        await context("SYS", "sys"),
      ];
      await tool(`context select ${ann}`);
      const about = await tool("account info");
      expect(about).toMatch(/User: ann \(U[A-Z2-7]{55}\)\s+Account: orders \(A[A-Z2-7]{55}\)/);
      expect(about).toMatch(/Streams: 1 of 1/);
      expect(await tool("pub orders.two 2")).toContain("Published");
      await using replies = new NatsCommand(nats!, null, ["--context", ann, "reply", "price.*", "--echo"]);
      await replies.prints(/Listening on "price\.\*"/);
      // The service may be asked before the server knows of it.
      await waitFor("the answer of the service", async () =>
        /^1$/m.test(await tool(`--context ${bea} request ask.tea 1`).catch(() => "")),
      );
      expect(await tool(`--context ${sys} server list`)).toContain(serverName);
      const orders = await home.keyOf("orders");
      expect(await tool(`--context ${sys} server account info ${orders}`)).toContain(orders);
      expect(await tool(`--context ${sys} server report accounts`)).toContain(orders);
      expect(await tool(`--context ${sys} server request accounts`)).toContain(orders);
    });

    it("follows revocations of activations and users while they are connected", async () => {
      const [ann, bea, vic] = [
        await enter("orders", "ann"),
        await enter("billing", "bea"),
        await enter("visitors", "vic"),
      ];
      const here = new Inbox(bea, "from.orders.>");
      const own = new Inbox(ann, "orders.*");
      await Promise.all([ann.flush(), bea.flush()]);
      ann.publish("orders.before");
      await here.received(1);
      const billing = await home.keyOf("billing");
      await home.nsc(
        `revocations add-activation --account orders --subject orders.> --target-account ${billing}`,
      );
      await nscSays("push --account orders -u URL");
      ann.publish("orders.after");
      await own.received(2);
      await bea.flush();
      expect(here.messages).toHaveLength(1);
      const closed = vic.closed();
      await home.nsc("revocations add-user --account visitors --name vic");
      await nscSays("push --account visitors -u URL");
      await closed;
      await expect(enter("visitors", "vic")).rejects.toThrow("Authorization Violation");
    });

    it("deletes what is pruned", async () => {
      const [ann, key] = [await enter("orders", "ann"), await home.keyOf("orders")];
      const closed = ann.closed();
      await home.nsc("delete account --name orders --force");
      await nscSays("push --all --prune -u URL");
      await closed;
      expect(readdirSync(directory)).not.toContain(`${key}.jwt`);
      await expect(connect({ servers: `127.0.0.1:${server.port}` })).rejects.toThrow("Authorization");
    });
  });

  it("gets the same answers from both", () => {
    const [first, ...others] = [...said.values()];
    for (const other of others) expect(Object.fromEntries(other)).toEqual(Object.fromEntries(first!));
    expect(first?.size).toBeGreaterThan(0);
  });
});
