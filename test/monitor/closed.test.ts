/** Closed connections as /connz shows them: the same clients end in the same ways on shoal and on the real nats-server. */
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

const CONFIG = `
http: "127.0.0.1:-1"
max_payload: 1000, max_control_line: 512
authorization { users: [{user: u, password: p}, {user: v, password: p}], timeout: 60 }
`;

/** Of clients that say nothing, on a server of its own: who is slow on a busy machine is not among the others. */
const SILENT: readonly (readonly [config: string, reason: string])[] = [
  ['http: "127.0.0.1:-1", ping_interval: "300ms", ping_max: 3', "Stale Connection"],
  ['http: "127.0.0.1:-1", authorization { user: u, password: p, timeout: 0.2 }', "Authentication Timeout"],
];

interface Closed {
  readonly cid: number;
  readonly reason: string;
  readonly name?: string;
  readonly authorized_user?: string;
}

type Act = (connection: RawConnection) => unknown;

const says =
  (text: string): Act =>
  (connection) =>
    connection.send(text);

/** How a client ends, and the reason that is shown. */
const ENDS: Readonly<Record<string, readonly [act: Act, reason: string]>> = {
  leaves: [(connection) => connection.socket.end(), "Client Closed"],
  resets: [(connection) => connection.socket.resetAndDestroy(), "Read Error"],
  "unknown operation": [says("FOO bar\r\n"), "Protocol Violation"],
  "SUB without arguments": [says("SUB\r\n"), "Protocol Violation"],
  "PUB without a number": [says("PUB a b\r\n"), "Protocol Violation"],
  "more than announced": [says("PUB a 1\r\nabcd\r\n"), "Protocol Violation"],
  "too large": [says("PUB a 2000\r\n"), "Maximum Message Payload Exceeded"],
  "too long": [says(`PUB ${"x".repeat(900)} 2\r\n`), "Maximum Control Line Exceeded"],
};

describe.each(bothServers)("of connections that ended, $name", ({ command }) => {
  const monitorOf = (server: ServerProcess): string =>
    `http://127.0.0.1:${/http monitor on 127\.0\.0\.1:(\d+)/.exec(server.log())![1]}`;

  async function closedOf(server: ServerProcess, query = ""): Promise<Closed[]> {
    const response = await fetch(`${monitorOf(server)}/connz?state=closed&auth=1${query}`);
    return ((await response.json()) as { connections: Closed[] }).connections;
  }

  it("tells reason and user, sorted and filtered by them", async () => {
    const server = await startServer(command, CONFIG);
    try {
      for (const [name, [act, reason]] of Object.entries(ENDS)) {
        const connection = await RawConnection.greeted(server.port, { name, user: "u", pass: "p" });
        await act(connection);
        const ofThis = async (): Promise<Closed | undefined> =>
          (await closedOf(server)).find((each) => each.name === name);
        const shown = await waitFor(`the end of what ${name}`, ofThis);
        expect([name, shown.reason, shown.authorized_user]).toEqual([name, reason, "u"]);
        connection.destroy();
      }
      const stranger = await RawConnection.open(server.port);
      stranger.send('CONNECT {"name":"stranger","user":"v","pass":"wrong"}\r\n');
      await stranger.closed();
      const lastReason = async (): Promise<string> =>
        (await closedOf(server, "&sort=stop&limit=1"))[0]!.reason;
      await waitFor("the failure", async () => (await lastReason()) === "Authentication Failure");

      const sorted = await closedOf(server, "&sort=reason");
      const reasons = sorted.map(({ reason }) => reason);
      expect(reasons).toEqual(reasons.toSorted());
      const byUser = await closedOf(server, "&user=u");
      expect(byUser).toHaveLength(Object.keys(ENDS).length);
      const [first] = byUser;
      expect(await closedOf(server, `&cid=${first!.cid}`)).toMatchObject([{ name: first!.name }]);
    } finally {
      await server.stop();
    }
  });

  it.each(SILENT)("with %j tells of who says nothing", async (config, reason) => {
    const server = await startServer(command, config);
    try {
      const silent = await RawConnection.open(server.port);
      await silent.closed();
      await waitFor("its end", async () => (await closedOf(server))[0]?.reason === reason);
    } finally {
      await server.stop();
    }
  });
});
