/** Asks `/clusterz` again and again, not while nobody looks. Keeps the answers of the last minutes, bounded. */
import { memberRates, readCluster, type Cluster, type Rates } from "./model.ts";

const EVERY_MS = 1500;
const TIMEOUT_MS = 8000;
/** Fifteen minutes. */
const HISTORY_MAX = 600;

export type FeedState = "loading" | "live" | "paused" | "disconnected";

export interface Moment {
  readonly timeMs: number;
  readonly rates: ReadonlyMap<string, Rates>;
  readonly connections: ReadonlyMap<string, number>;
}

export class Feed {
  readonly prefix: string;
  cluster: Cluster | null = null;
  previous: Cluster | null = null;
  readonly history: Moment[] = [];
  /** Of everybody who was a member since the page was opened; bounded as the history is. */
  readonly names = new Map<string, string>();
  state: FeedState = "loading";
  problem = "";
  answeredMs = 0;
  private readonly changed: () => void;
  private timer: number | undefined;
  private isAsking = false;

  constructor(prefix: string, changed: () => void) {
    this.prefix = prefix;
    this.changed = changed;
    document.addEventListener("visibilitychange", () => void this.ask());
  }

  /** The answer as JSON; throws in words for people. */
  async get(path: string): Promise<unknown> {
    const response = await fetch(this.prefix + path, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      cache: "no-store",
    });
    if (response.ok) return response.json();
    const text = (await response.text()).slice(0, 200);
    throw new Error(text || `the server answers with ${response.status}`);
  }

  async ask(): Promise<void> {
    if (this.isAsking) return;
    clearTimeout(this.timer);
    if (document.hidden && this.cluster !== null) return this.become("paused");
    this.isAsking = true;
    try {
      this.take(readCluster(await this.get("clusterz")));
      this.become("live");
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
      this.become("disconnected");
    } finally {
      // Whatever went wrong, even in showing it.
      this.isAsking = false;
      this.timer = setTimeout(() => void this.ask(), EVERY_MS);
    }
  }

  private become(state: FeedState): void {
    this.state = state;
    this.changed();
  }

  private take(cluster: Cluster): void {
    this.answeredMs = Date.now();
    const isNews = cluster.members.some(
      ({ server_id, now_ms }) =>
        now_ms !== this.cluster?.members.find((one) => one.server_id === server_id)?.now_ms,
    );
    if (!isNews && this.cluster?.members.length === cluster.members.length) return;
    this.previous = this.cluster;
    this.cluster = cluster;
    for (const { server_id, server_name } of cluster.members) this.names.set(server_id, server_name);
    for (const id of this.names.keys()) {
      if (this.names.size <= HISTORY_MAX) break;
      this.names.delete(id);
    }
    const connections = new Map(cluster.members.map((one) => [one.server_id, one.connections]));
    this.history.push({ timeMs: this.answeredMs, rates: memberRates(cluster, this.previous), connections });
    if (this.history.length > HISTORY_MAX) this.history.shift();
  }
}
