/**
 * Servers on hosts of their own that know nothing but a name, and a real DNS server whose answers change, fail and lie.
 * The figures are printed; the deadlines are generous, so that a busy machine fails nothing.
 */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { canServeNames, NameServer } from "./name-server.ts";
import { canMakeNetworks, Network } from "./network.ts";
import { routesByPeer, within } from "./process-mesh.ts";
import { ServerProcess } from "./server-process.ts";

const HOST_COUNT = 10;
const hosts = [...Array(HOST_COUNT).keys()];
/** 3 in the pool and one for the system account. */
const ROUTES_PER_PEER = 4;

describe.skipIf(!canMakeNetworks() || !canServeNames())(
  "servers that know one name",
  { timeout: 120_000 },
  () => {
    let network: Network;
    let dns: NameServer;
    const members = new Map<number, ServerProcess>();

    const addresses = (...some: number[]): string[] => some.map((host) => network.address(host));
    const shoal = (...some: number[]) => dns.serve({ hosts: { shoal: addresses(...some) } });

    function start(host: number, route = "nats://shoal:6222", more: readonly string[] = []): ServerProcess {
      const listen = ["--cluster", "nats://0.0.0.0:6222", "--cluster_name", "named", "--routes", route];
      const args = ["-n", `host-${host}`, "-p", "4222", "-m", "8222", ...listen, ...more];
      const env = ["env", "SHOAL__CLUSTER__DISCOVERY__INTERVAL=500ms"];
      const member = new ServerProcess(args, [...network.on(host), ...env]);
      members.set(host, member);
      return member;
    }

    async function kill(...some: number[]): Promise<void> {
      await Promise.all(some.map((host) => members.get(host)![Symbol.asyncDispose]()));
      for (const host of some) members.delete(host);
    }

    /** Each has routes to all others of those listed and to nobody else, each route once. Prints how long that took. */
    async function areMesh(
      listed: readonly number[],
      story: string,
      addressOf = (host: number): string => network.address(host),
    ): Promise<void> {
      const from = performance.now();
      for (const host of listed) {
        const member = members.get(host)!;
        const others = (): string[] =>
          listed.filter((other) => other !== host).map((other) => members.get(other)!.id);
        await within(
          `host ${host} to see ${listed.join()}`,
          () => others().every((id) => member.peers.has(id)) && member.peers.size === listed.length - 1,
          () => member.tail(),
        );
      }
      const ms = performance.now() - from;
      for (const host of listed) {
        const wanted = listed
          .filter((other) => other !== host)
          .map((other) => `${members.get(other)!.id} ${ROUTES_PER_PEER}`);
        let found: readonly string[] = [];
        await within(
          `host ${host} to have each route once`,
          async () => (found = await routesByPeer(addressOf(host))).join() === wanted.sort().join(),
          () => `${found.join("\n")}\n${members.get(host)!.tail()}`,
        );
      }
      process.stdout.write(`${story}: ${(ms / 1000).toFixed(2)} s\n`);
    }

    /** The lines of a member's log, by event where they have one. */
    const told = (host: number, ...levels: string[]): string[] =>
      members
        .get(host)!
        .lines.filter(({ level }) => levels.includes(level))
        .map(({ msg, event = "" }) => event || msg);

    beforeEach(() => {
      network = new Network(HOST_COUNT);
      dns = new NameServer(network);
      dns.use(hosts, network.ownAddress);
    });

    afterEach(async () => {
      await kill(...members.keys());
      await dns[Symbol.asyncDispose]();
      network[Symbol.dispose]();
    });

    it("are a mesh, grow to nine, and shrink to two without a stale route", async () => {
      const five = [0, 1, 2, 3, 4];
      const nine = hosts.slice(0, 9);
      await shoal(...five);
      for (const host of five) start(host);
      await areMesh(
        five,
        "five servers with nothing but one name are a mesh after the start of their processes",
      );
      const times = (event: string): number[] =>
        five
          .flatMap((host) =>
            members.get(host)!.lines.filter((line) => line.event === event || line.msg === event),
          )
          .map(({ time }) => Date.parse(time));
      const ms =
        Math.max(...times("peer_joined")) -
        Math.max(...times("Listening for route connections on 0.0.0.0:6222"));
      process.stdout.write(
        `                                     and after the last of them listens: ${(ms / 1000).toFixed(2)} s\n`,
      );
      await shoal(...nine);
      for (const host of nine.slice(5)) start(host);
      await areMesh(nine, "                                     nine, after the start of four more");
      await shoal(0, 1);
      await kill(...nine.slice(2));
      await areMesh([0, 1], "                                      two, after the end of seven");
      for (const host of [0, 1]) {
        const gone = told(host, "info", "warn", "error", "fatal").filter((word) =>
          /^(peer_left|dial|peer_given)/.test(word),
        );
        expect(gone).toEqual(Array.from({ length: 7 }, () => "peer_left"));
      }
    });

    it("grow one by one, and find a name that has changed every address, as a rollout does", async () => {
      await shoal(0);
      start(0);
      await members.get(0)!.says("Listening for route connections");
      for (const host of [1, 2, 3, 4]) {
        await shoal(...hosts.slice(0, host + 1));
        start(host);
        await areMesh(hosts.slice(0, host + 1), `server ${host + 1} has joined`);
      }
      let now = [0, 1, 2, 3, 4];
      for (const host of now.slice()) {
        const next = [...now.filter((other) => other !== host), host + 5];
        await shoal(...next);
        await kill(host);
        start(host + 5);
        await areMesh(next, `server ${host + 1} of five is replaced at another address`);
        now = next;
      }
    });

    it("stay together without DNS, take back who restarts, and find a newcomer once DNS is back", async () => {
      for (const host of [0, 1, 2]) start(host);
      await members.get(0)!.says("The name of other servers has no address now");
      await shoal(0, 1, 2);
      await areMesh([0, 1, 2], "three servers are a mesh after DNS has come up");
      {
        using silence = await dns.fallSilent();
        await within(
          "150 questions without an answer",
          () => silence.questions >= 150,
          () => String(silence.questions),
        );
        await areMesh([0, 1, 2], "three servers are a mesh while DNS is silent");
      }
      await kill(2);
      start(2);
      await areMesh([0, 1, 2], "a server that restarted without DNS is a member again");
      start(3);
      await members.get(3)!.says("The name of other servers has no address now");
      expect(members.get(3)!.peers.size).toBe(0);
      await areMesh([0, 1, 2], "the others are still a mesh");
      await shoal(0, 1, 2, 3);
      await areMesh([0, 1, 2, 3], "the newcomer is a member after DNS has come back");
      // DNS was down at the start, and once again.
      expect(told(0, "warn", "error").filter((word) => word !== "not_ready")).toEqual([
        "discovery",
        "discovery",
      ]);
      expect(told(0, "info").filter((word) => word === "peer_left")).toHaveLength(1);
    });

    it("are a mesh behind a DNS that lies, which costs strangers little and the log nothing", async () => {
      const silent = await listening(network.ownAddress, () => undefined);
      const chatty = await listening(network.ownAddress, (socket) =>
        socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
      );
      try {
        const other = start(5, "nats://other:6222", ["--cluster_name", "another"]);
        await other.says("Server is ready");
        const nobody = Array.from(
          { length: 50 },
          (_, i) => `${network.address(0).replace(/\d+$/, "")}${100 + i}`,
        );
        const lies = {
          _routes: [
            ["nats-0", 6222],
            ["nats-1", 6222],
            ["nats-2", 6222],
            ["other", 6222],
            ["nobody", 6222],
            ["here", silent.port],
            ["here", chatty.port],
            ["nats-0", 4222],
            ["nats-1", 8222],
          ],
        } as const;
        await dns.serve({
          hosts: {
            "nats-0": addresses(0),
            "nats-1": addresses(1),
            "nats-2": addresses(2),
            other: addresses(5),
            nobody,
            here: [network.ownAddress],
          },
          services: { "_cluster._tcp.shoal": lies._routes },
        });
        for (const host of [0, 1, 2]) start(host, "nats://_cluster._tcp.shoal");
        await areMesh([0, 1, 2], "three servers are a mesh among 55 addresses of strangers");
        const dials = (): number => silent.connections + chatty.connections;
        const before = dials();
        const from = performance.now();
        await within(
          "60 dials of two strangers",
          () => dials() >= before + 60,
          () => String(dials()),
        );
        const perSecond = (dials() - before) / ((performance.now() - from) / 1000);
        process.stdout.write(
          `each server dials a stranger ${(perSecond / 6).toFixed(2)} times a second at first\n`,
        );
        const complaints = told(0, "warn", "error").filter((word) => word !== "not_ready");
        process.stdout.write(`and complains: ${complaints.join(", ")}\n`);
        expect(complaints.length).toBeLessThan(60 / 3);
        expect(told(0, "info").filter((word) => word.startsWith("peer_"))).toEqual([
          "peer_joined",
          "peer_joined",
        ]);
        await areMesh([0, 1, 2], "they still are");
      } finally {
        silent.close();
        chatty.close();
      }
    });

    it("are two islands until a name shows one to the other", async () => {
      await dns.serve({ hosts: { left: addresses(0, 1), right: addresses(2, 3) } });
      for (const host of [0, 1]) start(host, "nats://left:6222");
      for (const host of [2, 3]) start(host, "nats://right:6222");
      await areMesh([0, 1], "the left island is whole");
      await areMesh([2, 3], "the right island is whole");
      await dns.serve({ hosts: { left: addresses(0, 1, 3), right: addresses(2, 3) } });
      await areMesh([0, 1, 2, 3], "both are one mesh after one name showed one member of the other");
    });

    it("are two islands while the network is cut, and one mesh afterwards", async () => {
      await shoal(0, 1, 2, 3);
      network.cut([0, 1], [2, 3]);
      for (const host of [0, 1, 2, 3]) start(host);
      await areMesh([0, 1], "the left side is whole");
      await areMesh([2, 3], "the right side is whole");
      network.heal();
      await areMesh([0, 1, 2, 3], "both are one mesh after the network has healed");
    });

    it("find each other by SRV records, at ports of their own", async () => {
      const listed = [0, 1, 2];
      const names = listed.map((host) => [`nats-${host}`, 7000 + host] as const);
      await dns.serve({
        hosts: Object.fromEntries(listed.map((host) => [`nats-${host}`, addresses(host)])),
        services: { "_cluster._tcp.shoal": names },
      });
      for (const host of listed) {
        start(host, "dns+srv://_cluster._tcp.shoal", ["--cluster", `nats://0.0.0.0:${7000 + host}`]);
      }
      await areMesh(listed, "three servers with SRV records are a mesh");
    });

    it("find each other where there is nothing but IPv6", async () => {
      const listed = [0, 1, 2];
      dns.use(listed, network.ownAddressV6);
      for (const host of listed) network.dropIpv4(host);
      await dns.serve({ hosts: { shoal: listed.map((host) => network.addressV6(host)) } });
      for (const host of listed) start(host);
      await areMesh(
        listed,
        "three servers with IPv6 alone are a mesh",
        (host) => `[${network.addressV6(host)}]`,
      );
    });

    it("count once, with an address of each family", async () => {
      const listed = [0, 1, 2];
      await dns.serve({
        hosts: { shoal: [...listed.map((host) => network.addressV6(host)), ...addresses(...listed)] },
      });
      for (const host of listed) start(host);
      await areMesh(listed, "three servers with A and AAAA records are a mesh");
      for (const host of listed) await members.get(host)!.says("Connected to all servers of the cluster");
      await areMesh(listed, "no route is there twice");
    });
  },
);

interface Listening {
  readonly port: number;
  readonly connections: number;
  close(): void;
}

/** A server that is no member, here. */
async function listening(address: string, greet: (socket: Socket) => void): Promise<Listening> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return {
    port: (server.address() as { port: number }).port,
    get connections() {
      return connections;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
