/** `max_connections: 0` lets nobody in, from the start and by a reload: nats-server does so since 2.14. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { LoggingServer } from "../log/logging-server.ts";

async function greeting(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1").setEncoding("utf8");
  let text = "";
  socket.on("data", (part: string) => (text += part));
  await once(socket, "end");
  socket.destroy();
  return text;
}

describe("max_connections", () => {
  it.each(["max_connections: 0", "max_conn: 0", "max_connections: -1"])(
    "lets nobody in: %s",
    async (line) => {
      await using server = await LoggingServer.start(({ logFile }) => `log_file: "${logFile}"\n${line}`);
      expect(await greeting(server.port)).toMatch(
        /^INFO \{.*\} \r\n-ERR 'maximum connections exceeded'\r\n$/,
      );
    },
  );

  it("sends everybody away when a reload makes it 0", async () => {
    await using server = await LoggingServer.start(
      ({ logFile }) => `log_file: "${logFile}"\nmax_connections: 9`,
    );
    const socket = connect(server.port, "127.0.0.1").setEncoding("utf8");
    let text = "";
    socket.on("data", (part: string) => (text += part));
    await waitFor("the INFO", () => text.includes("INFO"));
    const ended = once(socket, "end");
    await server.reload(`log_file: "${server.logFile}"\nmax_connections: 0`);
    await ended;
    expect(text).toContain("-ERR 'maximum connections exceeded'");
    expect(await greeting(server.port)).toContain("-ERR 'maximum connections exceeded'");
  });
});
