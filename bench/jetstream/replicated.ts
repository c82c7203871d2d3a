/** Clusters of three for streams with three replicas, and what makes a server lead what the workloads use: clients are on its leader. */
import { freePort } from "../../test/support/free-port.ts";
import { startServer, type ServerProcess } from "../../test/support/nats-server.ts";
import { type WireClient } from "./client.ts";

export const REPLICAS = 3;
const WITHIN_MS = 60_000;
const AGAIN_MS = 50;
/** A request to step down, or to make something, that has no effect is sent again after this. */
const REPEAT_MS = 1000;
const INBOX = "_INBOX.setup";

/** One server, or a cluster of which clients use the first. */
export interface Running {
  readonly port: number;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** The server that clients are connected to. */
const FIRST = "n1";

/** `config` has the block of JetStream for a store in that folder. */
export async function startTrio(command: string, config: (folder: string) => string): Promise<Running> {
  const names = Array.from({ length: REPLICAS }, (_, i) => `n${i + 1}`);
  const routePorts: number[] = [];
  for (const _ of names) routePorts.push(await freePort());
  const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const servers = await Promise.all(
    names.map((name, i): Promise<ServerProcess> => {
      const cluster = `cluster { name: C, listen: "127.0.0.1:${routePorts[i]}", routes: [${routes}] }`;
      return startServer(command, `server_name: ${name}\n${config(name)}\n${cluster}`);
    }),
  );
  return {
    port: servers[0]!.port,
    pids: servers.map(({ pid }) => pid),
    async stop() {
      for (const server of servers) await server.stop();
    },
  };
}

interface Answer {
  readonly error?: { readonly description?: string };
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly current: boolean }[];
  };
}

/** Makes it if it is not there, and resolves when all its replicas are complete and the first server leads. */
export async function madeAndLed(
  client: WireClient,
  made: { readonly subject: string; readonly config: object },
  kind: "STREAM" | "CONSUMER",
  name: string,
): Promise<void> {
  let last: Answer = {};
  let repeatMs = 0;
  for (const endMs = performance.now() + WITHIN_MS; performance.now() < endMs; await pause(AGAIN_MS)) {
    last = await attempt(client, `${kind}.INFO.${name}`, {});
    const { leader = "", replicas = [] } = last.cluster ?? {};
    const isWhole = replicas.length === REPLICAS - 1 && replicas.every(({ current }) => current);
    if (leader === FIRST && isWhole) return;
    if (performance.now() < repeatMs) continue;
    repeatMs = performance.now() + REPEAT_MS;
    if (last.error !== undefined) await attempt(client, made.subject, made.config);
    else if (leader !== "" && isWhole)
      await attempt(client, `${kind}.LEADER.STEPDOWN.${name}`, { placement: { preferred: FIRST } });
  }
  throw new Error(`${kind} ${name} is not led by ${FIRST}: ${JSON.stringify(last)}`);
}

/** The answer, which may be an error; without one in time an error of its own. */
function attempt(client: WireClient, subject: string, payload: object): Promise<Answer> {
  const body = JSON.stringify(payload);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ error: { description: "no answer" } }), REPEAT_MS);
    client.onMessage = (all, from, to) => {
      const text = all.toString("utf8", from, to);
      if (!text.startsWith("{")) return; // a status: nobody answers yet
      clearTimeout(timer);
      resolve(JSON.parse(text) as Answer);
    };
    client.write(
      `SUB ${INBOX} 998\r\nPUB $JS.API.${subject} ${INBOX} ${Buffer.byteLength(body)}\r\n${body}\r\nUNSUB 998 1\r\n`,
    );
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
