/** Keys at the top of the configuration that change what clients see: the same clients on shoal and on the real nats-server. */
import { describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

describe.each(bothServers)("a key of $name", ({ command }) => {
  async function served(config: string, act: (server: ServerProcess) => Promise<void>): Promise<void> {
    const server = await startServer(command, config);
    try {
      await act(server);
    } finally {
      await server.stop();
    }
  }

  it("no_header_support: INFO says so, and who sends headers is closed without a word", async () => {
    await served("no_header_support: true", async ({ port }) => {
      const connection = await RawConnection.greeted(port, { headers: true });
      expect(connection.text).toMatch(/^INFO \{.*"headers":false.*\} \r\n/);
      connection.send("SUB foo 1\r\nPUB foo 1\r\nx\r\n");
      await connection.has("MSG foo 1 1\r\nx\r\n");
      connection.text = "";
      connection.send("HPUB foo 12 12\r\nNATS/1.0\r\n\r\n\r\nPING\r\n");
      await connection.closed();
      expect(connection.replies).toBe("");
    });
  });

  it("no_header_support: nobody is told of a lack of responders", async () => {
    await served("no_header_support: true", async ({ port }) => {
      const connection = await RawConnection.open(port);
      connection.send('CONNECT {"headers":true,"no_responders":true,"verbose":false}\r\nPING\r\n');
      await connection.closed();
      expect(connection.errors).toEqual(["no responders requires headers support"]);
    });
  });

  it("default_permissions of an account: of its users without permissions of their own", async () => {
    const users = "users: [{user: a, password: a}, {user: b, password: b, permissions: {publish: own}}]";
    await served(`accounts { A { ${users}, default_permissions: {publish: given} } }`, async ({ port }) => {
      const denied = async (user: string): Promise<string[]> => {
        const connection = await RawConnection.greeted(port, { user, pass: user });
        connection.send("PUB given 0\r\n\r\nPUB own 0\r\n\r\nPING\r\n");
        await connection.until("the answer", () => connection.text.split("PONG").length > 2);
        connection.destroy();
        return connection.errors;
      };
      expect(await denied("a")).toEqual(['Permissions Violation for Publish to "own"']);
      expect(await denied("b")).toEqual(['Permissions Violation for Publish to "given"']);
    });
  });

  const sentCount = 2000;
  const payload = "x".repeat(16_000);

  /** Sends far more than kernel and server keep for one who does not read, and what became of that one. */
  async function outrun(server: ServerProcess): Promise<{ received: number; isClosed: boolean }> {
    const slow = await RawConnection.greeted(server.port);
    slow.send("SUB foo 1\r\nPING\r\n");
    await slow.until("the subscription", () => slow.text.split("PONG").length > 2);
    slow.stopReading();
    slow.text = "";
    const fast = await RawConnection.greeted(server.port);
    fast.text = "";
    for (let i = 0; i < sentCount; i++) fast.send(`PUB foo ${payload.length}\r\n${payload}\r\n`);
    fast.send("PING\r\n");
    await fast.has("PONG\r\n");
    fast.destroy();
    slow.readOn();
    slow.send("PUB foo 4\r\nlast\r\nPING\r\n");
    await slow.until("an end", () => slow.isClosed || slow.text.includes("PONG\r\n"));
    slow.destroy();
    return { received: slow.text.split("MSG foo 1 16000\r\n").length - 1, isClosed: slow.isClosed };
  }

  const limits = "max_pending: 4MB\nmax_payload: 1MB";

  it("no_fast_producer_stall: who reads slowly gets less, and stays", async () => {
    await served(`${limits}\nno_fast_producer_stall: true`, async (server) => {
      const { received, isClosed } = await outrun(server);
      expect(isClosed).toBe(false);
      expect(received).toBeGreaterThan(0);
      expect(received).toBeLessThan(sentCount);
    });
  });

  it("no_fast_producer_stall: without it, who reads slowly is cut", async () => {
    await served(limits, async (server) => {
      expect((await outrun(server)).isClosed).toBe(true);
    });
  });

  it("no_fast_producer_stall: comes and goes with a reload", async () => {
    await served(limits, async (server) => {
      expect(await server.reload(`${limits}\nno_fast_producer_stall: true`)).toBe("reloaded");
      expect((await outrun(server)).isClosed).toBe(false);
    });
  });
});
