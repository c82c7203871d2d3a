/** Looks at a cluster through its API, as anybody could: whether everything is whole, and what each copy of a stream holds. */
import type { NatsConnection } from "@nats-io/transport-node";
import { ask, askUntil, pause, readCopy, type ClusterInfo } from "./clients.ts";
import type { Copy } from "./history.ts";
import type { Servers } from "./servers.ts";

const LEAD_WITHIN_MS = 30_000;
const READ_ATTEMPTS = 5;
export const LOOK_EVERY_MS = 500;

export interface ObserverOptions {
  readonly servers: Servers;
  readonly nc: NatsConnection;
  readonly streams: readonly string[];
  readonly consumers: readonly {
    readonly stream: string;
    readonly consumer: string;
  }[];
  readonly note: (text: string) => void;
}

export class Observer {
  private readonly options: ObserverOptions;

  constructor(options: ObserverOptions) {
    this.options = options;
  }

  /**
   * Looks so often at most, and returns what is not whole then, or nothing. Looks are counted, not seconds: a machine that is too busy for
   * the servers is too busy for looks as well.
   */
  async settled(looks: number): Promise<string> {
    let found = "not asked yet";
    for (let look = 0; look < looks; look++) {
      found = await this.unsettled();
      if (found === "") return "";
      await pause(LOOK_EVERY_MS);
    }
    this.options.note(`not settled: ${found}`);
    return found;
  }

  private async unsettled(): Promise<string> {
    const { servers, nc, streams, consumers } = this.options;
    const down = servers.names.filter((name) => !servers.isRunning(name));
    if (down.length > 0) return `${down.join(" ")} not running`;
    const subjects = [
      ...streams.map((stream) => `STREAM.INFO.${stream}`),
      ...consumers.map(({ stream, consumer }) => `CONSUMER.INFO.${stream}.${consumer}`),
    ];
    for (const subject of subjects) {
      const answer = await ask(nc, subject);
      if (answer === undefined) return `${subject} is not answered`;
      if (answer.error !== undefined) return `${subject}: ${answer.error.description}`;
      const why = notWhole(answer.cluster);
      if (why !== "") return `${subject}: ${why}`;
    }
    return "";
  }

  /** Each server that has a copy leads for a while, and is read. */
  async copies(): Promise<{ found: Copy[]; failures: string[] }> {
    const found: Copy[] = [];
    const failures: string[] = [];
    for (const stream of this.options.streams) {
      const info = await askUntil(this.options.nc, `STREAM.INFO.${stream}`, {}, LEAD_WITHIN_MS);
      const { leader = "", replicas = [] } = info?.cluster ?? {};
      for (const server of [leader, ...replicas.map(({ name }) => name)]) {
        const copy = await this.copyOf(stream, server);
        if (copy === undefined) failures.push(`${server} could not lead ${stream} and be read`);
        else found.push(copy);
      }
    }
    return { found, failures };
  }

  private async copyOf(stream: string, server: string): Promise<Copy | undefined> {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      if (!(await this.leads(stream, server))) continue;
      const copy = await readCopy(this.options.nc, stream, server);
      if (copy !== undefined) return copy;
    }
    return undefined;
  }

  private async leads(stream: string, server: string): Promise<boolean> {
    const leader = async (): Promise<string | undefined> =>
      (await ask(this.options.nc, `STREAM.INFO.${stream}`))?.cluster?.leader;
    if ((await leader()) === server) return true;
    await ask(this.options.nc, `STREAM.LEADER.STEPDOWN.${stream}`, {
      placement: { preferred: server },
    });
    for (const endMs = performance.now() + LEAD_WITHIN_MS / READ_ATTEMPTS; performance.now() < endMs;) {
      if ((await leader()) === server) return true;
      await pause(LOOK_EVERY_MS / 5);
    }
    return false;
  }
}

/** Why a group is not whole, or nothing. */
function notWhole({ leader = "", replicas = [] }: ClusterInfo = {}): string {
  if (leader === "") return "no leader";
  if (replicas.length < 2) return `only ${replicas.length + 1} replicas`;
  const lacking = replicas.filter(({ current, offline }) => !current || offline === true);
  return lacking.map(({ name }) => `${name} is not current`).join(", ");
}
