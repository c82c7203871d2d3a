/** The `nats` command line tool on one server and on a cluster of three, as people try out a NATS server. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { globalInterest, startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";

const program = findNatsCli();

describe.skipIf(program === undefined)("nats", () => {
  const members: InProcessServer[] = [];

  beforeAll(async () => {
    const cluster = { name: "test-cluster" };
    const seed = await startInProcess({ server: { name: "A" }, cluster });
    const routes = [{ host: "localhost", port: seed.routePort, user: null, password: null }];
    members.push(seed);
    for (const name of ["B", "C"]) {
      members.push(await startInProcess({ server: { name }, cluster: { ...cluster, routes } }));
    }
    await waitFor("the mesh", () =>
      members.every(({ server }) => server.cluster!.otherConnectUrls("inside").length === 2),
    );
  });

  afterAll(async () => {
    for (const member of members) await member[Symbol.asyncDispose]();
  });

  const nats = (at: number | string, ...words: string[]): NatsCommand =>
    new NatsCommand(program!, typeof at === "string" ? at : members[at]!.url, words);

  const run = (at: number | string, ...words: string[]): Promise<string> => nats(at, ...words).done();

  /** Every member knows of so many subscriptions. */
  const interest = (count: number): Promise<boolean> =>
    waitFor(`${count} subscriptions to be known to all`, () =>
      members.every((one) => globalInterest(one) === count),
    );

  it("pub and sub --count, on one server and across", async () => {
    for (const [at, to] of [
      [0, 0],
      [0, 1],
      [2, 0],
    ] as const) {
      await interest(0);
      await using subscriber = nats(at, "sub", "news.>", "--count", "3");
      await interest(1);
      await run(to, "pub", "news.one", "hello");
      await run(to, "pub", "news.two", "with headers", "-H", "Kind:test");
      await run(to, "pub", "news.three", "");
      const output = await subscriber.done();
      expect(output).toMatch(
        /#1\] Received on "news\.one"[^]*hello[^]*#2\][^]*Kind: test[^]*with headers[^]*#3\]/,
      );
    }
  });

  it("a subscription on A gets what is published to each of the three, and to the list of them", async () => {
    await interest(0);
    await using subscriber = nats(0, "sub", "hello", "--count", "4");
    await interest(1);
    const urls = members.map(({ url }) => url);
    for (const [index, servers] of [...urls, urls.join(",")].entries()) {
      await run(servers, "pub", "hello", `world_${"ABCL"[index]}`);
    }
    const output = await subscriber.done();
    for (const text of ["world_A", "world_B", "world_C", "world_L"]) {
      expect(output.split(`\n${text}\n`).length).toBe(2);
    }
  });

  it("a queue group over three servers gets each message once", async () => {
    await interest(0);
    const workers = [0, 1, 2].map((at) => nats(at, "sub", "jobs", "--queue", "workers", "--raw"));
    await interest(3);
    await run(1, "pub", "jobs", "job {{Count}}", "--count", "60");
    const lines = (): string[] => workers.flatMap(({ output }) => output.match(/job \d+/g) ?? []);
    await waitFor(
      "all jobs",
      () => lines().length >= 60,
      () => lines().join(),
    );
    expect(new Set(lines()).size).toBe(60);
    expect(lines().length).toBe(60);
    await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
  });

  it("req and reply, on one server and across; nobody there is said at once", async () => {
    for (const [at, to] of [
      [1, 1],
      [2, 0],
    ] as const) {
      await interest(0);
      await using service = nats(at, "reply", "help.*", "you asked {{Request}}");
      await interest(1);
      expect(await run(to, "req", "help.me", "why", "--raw")).toContain("you asked why");
      await service[Symbol.asyncDispose]();
      await interest(0);
      expect(await run(to, "req", "help.me", "why")).toContain("No responders are available");
    }
  });

  it("rtt", async () => {
    expect(await run(0, "rtt")).toMatch(/nats:\/\/127\.0\.0\.1:\d+: [\d.]+(µs|ms)/);
  });

  it.each([
    ["on one server", 0],
    ["across", 1],
  ])("bench sub and bench pub, %s", async (_name, to) => {
    await interest(0);
    await using subscriber = nats(0, "bench", "sub", "load", "--msgs", "50000", "--no-progress");
    await interest(1);
    const published = await run(
      to,
      "bench",
      "pub",
      "load",
      "--msgs",
      "50000",
      "--size",
      "128",
      "--no-progress",
    );
    expect(published).toMatch(/msgs\/sec/);
    expect(await subscriber.done()).toMatch(/msgs\/sec/);
  });
});
