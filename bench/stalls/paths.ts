/**
 * Paths through the server whose length a peer or a configuration decides: how each is set up, and what is then done at once.
 */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { startServer, type ServerProcess } from "../../test/support/nats-server.ts";
import { Client } from "./client.ts";

const MIB = 1024 * 1024;
/** What a server may still do after the last answer, such as sending interest to a route. */
export const REST_MS = 300;

export interface Path {
  readonly name: string;
  readonly config: string;
  /** What the server needs to start. */
  before?(): void;
  /** Sets up, and returns what is done while others are watched. */
  prepare(server: Started): Promise<() => Promise<void>>;
}

export interface Started {
  readonly process: ServerProcess;
  readonly command: string;
  readonly monitorPort: number;
  readonly routePort: number;
  readonly config: string;
  /** The clients that were started beside it. */
  readonly others: ServerProcess[];
}

const TWO_ACCOUNTS = `accounts {
  A { users: [{user: a, password: p}] }
  B { users: [{user: b, password: p}] }
  SYS { users: [{user: s, password: p}] } }
system_account: SYS
no_auth_user: b`;
export const A = { user: "a", pass: "p" };
const B = { user: "b", pass: "p" };
const SYS = { user: "s", pass: "p" };

function service(latency: string): string {
  return `accounts {
  SVC { users: [{user: s, password: p}], exports: [{service: "api"${latency}}] }
  A { users: [{user: a, password: p}], imports: [{service: {account: SVC, subject: "api"}}] } }
no_auth_user: s`;
}
const SAMPLED = ", latency: {sampling: headers, subject: lat}";

/** A million bytes of headers, in as many lines as fit. */
function headers(name: string, config: string, subject: string, header: string): Path {
  return {
    name,
    config,
    prepare: async ({ process }) => {
      const responder = await Client.open(process.port, SYS);
      responder.send("SUB api 1\r\n");
      await responder.flush();
      const client = await Client.open(process.port, A);
      return async () => {
        for (let i = 0; i < 3; i++) client.sendHeaders(`${subject} reply`, header, 1_000_000);
        await client.flush();
        await delay(REST_MS);
      };
    },
  };
}

export async function subscribed(
  port: number,
  hello: object,
  count: number,
  pattern: string,
): Promise<Client> {
  const client = await Client.open(port, hello);
  await client.sendMany(count, (i) => `SUB ${pattern.replace("#", String(i))} ${i}\r\n`);
  return client;
}

/** `times` requests in the system account, of a client with 100,000 subscriptions. */
function request(name: string, subject: string, options: object, who: object, times = 1): Path {
  return {
    name,
    config: TWO_ACCOUNTS,
    prepare: async ({ process }) => {
      await subscribed(process.port, A, 100_000, "s.#");
      const asking = await Client.open(process.port, who);
      asking.send("SUB answers.> 1\r\n");
      await asking.flush();
      const payload = JSON.stringify(options);
      return async () => {
        asking.send(`PUB ${subject} answers.x ${payload.length}\r\n${payload}\r\n`.repeat(times));
        await asking.received(times);
      };
    },
  };
}

function overHttp(name: string, query: string, count = 100_000): Path {
  return {
    name,
    config: TWO_ACCOUNTS,
    prepare: async ({ process, monitorPort }) => {
      await subscribed(process.port, A, count, "s.#");
      return async () => {
        const answer = await fetch(`http://127.0.0.1:${monitorPort}${query}`);
        for await (const _ of answer.body!) continue;
      };
    },
  };
}

function leaves(name: string, pattern: string, count: number): Path {
  return {
    name,
    config: "",
    prepare: async ({ process }) => {
      const client = await subscribed(process.port, {}, count, pattern);
      return async () => {
        client.socket.destroy();
        await delay(2000);
      };
    },
  };
}

/** Clients with ten subscriptions each end together. */
function endTogether(count: number): Path {
  return {
    name: `${count} connections that end at once`,
    config: "",
    prepare: async ({ process }) => {
      const clients: Client[] = [];
      for (let i = 0; i < count; i++) clients.push(await subscribed(process.port, {}, 10, `e.${i}.#`));
      return async () => {
        for (const { socket } of clients) socket.destroy();
        await delay(2000);
      };
    },
  };
}

/** `ends`: of the patterns, and of the subject of message `i`. */
function nearlyMatching(name: string, ends: (i: number) => string): Path {
  const token = (bits: number, i: number): string => ((bits >> i) & 1 ? "*" : "a");
  const pattern = (bits: number): string => Array.from({ length: 14 }, (_, i) => token(bits, i)).join(".");
  return {
    name,
    config: "",
    prepare: async ({ process }) => {
      const client = await Client.open(process.port);
      await client.sendMany(2 ** 14, (i) => `SUB ${pattern(i)}.${ends(0).split(" ")[0]} ${i}\r\n`);
      const publisher = await Client.open(process.port);
      return async () => {
        for (let i = 0; i < 50; i++)
          publisher.send(`PUB ${"a.".repeat(14)}${ends(i).split(" ")[1]} 1\r\nx\r\n`);
        await publisher.flush();
      };
    },
  };
}

/** Another member that a client with 200,000 subscriptions is connected to. */
async function member(server: Started): Promise<ServerProcess> {
  const other = await otherMember(server);
  await subscribed(other.port, {}, 200_000, "r.#");
  return other;
}

async function otherMember({ command, routePort, others }: Started): Promise<ServerProcess> {
  const config = `server_name: other\ncluster { name: c, listen: "127.0.0.1:-1", routes: ["nats://127.0.0.1:${routePort}"] }`;
  const other = await startServer(command, config);
  others.push(other);
  return other;
}

export const PATHS: readonly Path[] = [
  { name: "nothing", config: "", prepare: () => Promise.resolve(() => delay(1000)) },
  headers("1 MB of headers to $SYS.REQ.USER.INFO", TWO_ACCOUNTS, "$SYS.REQ.USER.INFO", "a:\r\n"),
  headers("1 MB of headers of one name, sampled", service(SAMPLED), "api", "a:\r\n"),
  headers(
    "1 MB of Uberctx headers, sampled",
    service(SAMPLED),
    "api",
    "Uber-Trace-Id: 1:1:1:1\r\nUberctx-a: b\r\n",
  ),
  headers("1 MB of headers to an imported service", service(""), "api", "a:\r\n"),
  request("ACCOUNT.PING.CONNZ, subscriptions", "$SYS.REQ.ACCOUNT.PING.CONNZ", { subscriptions: true }, A),
  request(
    "ACCOUNT.PING.CONNZ, subscriptions_detail, 5 at once",
    "$SYS.REQ.ACCOUNT.PING.CONNZ",
    { subscriptions_detail: true },
    A,
    5,
  ),
  request("ACCOUNT.A.SUBSZ, limit 100,000", "$SYS.REQ.ACCOUNT.A.SUBSZ", { limit: 100_000 }, SYS),
  request(
    "SERVER.PING.SUBSZ with test",
    "$SYS.REQ.SERVER.PING.SUBSZ",
    { subscriptions: true, test: "s.1" },
    SYS,
  ),
  overHttp("/connz?subs=detail", "/connz?subs=detail"),
  overHttp("/subsz?subs=1&limit=100000", "/subsz?subs=1&limit=100000"),
  leaves("a client with 300,000 patterns leaves", "f.#.*.x", 300_000),
  leaves("a client with 300,000 patterns without a common token leaves", "*.f#.>", 300_000),
  leaves("a client with 300,000 subjects leaves", "f.#", 300_000),
  {
    name: "2,000 queue groups on a subject, 20 messages",
    config: "",
    prepare: async ({ process }) => {
      const client = await Client.open(process.port);
      await client.sendMany(2000, (i) => `SUB load q${i} ${i}\r\n`);
      const publisher = await Client.open(process.port);
      return async () => {
        publisher.send("PUB load 1\r\nx\r\n".repeat(20));
        await client.received(40_000);
      };
    },
  },
  {
    name: "100,000 subscriptions to a subject, changed between 20 messages",
    config: "",
    prepare: async ({ process }) => {
      const client = await Client.open(process.port);
      await client.sendMany(100_000, (i) => `SUB load.x q ${i}\r\n`);
      const publisher = await Client.open(process.port);
      return async () => {
        for (let i = 0; i < 20; i++) {
          publisher.send(`SUB load.x q a${i}\r\nPUB load.x 1\r\nx\r\n`);
          await publisher.flush();
        }
      };
    },
  },
  nearlyMatching("2^14 patterns that all but match", (i) => `never ${i}`),
  // Nothing in how they end tells them apart.
  nearlyMatching("2^14 patterns that all but match, and end alike", (i) => `never.* b.${i}`),
  {
    name: "100,000 requests without an answer time out",
    config: service(", threshold: 2s"),
    prepare: async ({ process }) => {
      const responder = await Client.open(process.port, SYS);
      responder.send("SUB api 1\r\n");
      await responder.flush();
      const client = await Client.open(process.port, A);
      await client.sendMany(100_000, (i) => `PUB api in.${i} 1\r\nx\r\n`);
      return () => delay(4000);
    },
  },
  endTogether(5000),
  {
    name: "200,000 subscriptions that begin at once",
    config: "",
    prepare: async ({ process }) => {
      const client = await Client.open(process.port);
      const lines = Array.from({ length: 200_000 }, (_, i) => `SUB b.${i} ${i}\r\n`).join("");
      return async () => {
        client.send(lines);
        await client.flush();
      };
    },
  },
  {
    name: "a route with 200,000 subjects comes",
    config: 'server_name: watched\ncluster { name: c, listen: "127.0.0.1:<route>" }',
    prepare: async (server) => {
      await subscribed(server.process.port, {}, 200_000, "l.#");
      return async () => {
        await member(server);
        await delay(REST_MS);
      };
    },
  },
  {
    name: "a route with 200,000 subjects goes",
    config: 'server_name: watched\ncluster { name: c, listen: "127.0.0.1:<route>" }',
    prepare: async (server) => {
      const other = await member(server);
      await delay(1000);
      return async () => {
        await other.stop();
        await delay(1000);
      };
    },
  },
  {
    name: "lame duck mode, the first client leaves 100,000 queue groups",
    config: `server_name: watched
lame_duck_duration: 60s
lame_duck_grace_period: 1s
cluster { name: c, listen: "127.0.0.1:<route>" }`,
    prepare: async (server) => {
      const { process } = server;
      const client = await subscribed(process.port, {}, 100_000, "q.# group");
      // The watcher comes after these, and stays.
      for (let i = 0; i < 200; i++) await Client.open(process.port);
      await otherMember(server);
      return async () => {
        process.signal("SIGUSR2");
        await once(client.socket, "close");
      };
    },
  },
  {
    name: "CONNECT again, with 100,000 subscriptions",
    config: TWO_ACCOUNTS,
    prepare: async ({ process }) => {
      const client = await subscribed(process.port, A, 100_000, "s.*.#");
      return async () => {
        client.send(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...B })}\r\n`);
        await client.flush();
        await delay(REST_MS);
      };
    },
  },
];

assertFits();

/** The largest message of the default configuration. */
function assertFits(): void {
  if (1_000_000 > MIB) throw new Error("bug: headers do not fit into a message");
}
