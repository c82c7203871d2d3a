/** Starts bin/shoal with JetStream on a folder, and kills it as a power loss of the process would: with no chance to say anything. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "./cluster-wait.ts";
import { freePort } from "./free-port.ts";

const binary = fileURLToPath(new URL("../../bin/shoal", import.meta.url));

export async function startKillable(
  storeDir: string,
): Promise<{ client: NatsConnection; kill: () => Promise<void> }> {
  const port = await freePort();
  const child = spawn(binary, ["-a", "127.0.0.1", "-p", `${port}`, "-js", "-sd", storeDir], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(child, "close");
  const client = await waitFor("the server to take a client", () =>
    connect({ servers: `127.0.0.1:${port}`, reconnect: false, timeout: 1000 }).catch(() => undefined),
  );
  return {
    client,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
      await client.closed();
    },
  };
}
