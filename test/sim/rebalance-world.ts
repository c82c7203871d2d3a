/**
 * Servers that rebalance and clients that roam, on virtual time: each server decides by production's code from figures that are as
 * old as its neighbours' last round; a client that is asked takes its time and goes to any of the servers it was told of.
 */
import { randomInt, type Random } from "../../src/base/random.ts";
import { Rebalance } from "../../src/cluster/rebalance.ts";
import { Timeline } from "./timeline.ts";

export const TOLERANCE = 0.2;
export const RATE_PER_SECOND = 10;
export const ROUND_MS = 5000;
export const CALM_MS = 60_000;
const NOTICE_MS = 1000;
const TRANSIT_MAX_MS = 2000;
const DELAY_MAX_MS = 50;

interface Client {
  readonly id: number;
  connectedMs: number;
}

interface Server {
  readonly id: string;
  readonly rebalance: Rebalance;
  readonly clients: Set<Client>;
  /** What the others told last. */
  readonly heard: Map<string, number>;
  isUp: boolean;
}

export interface Asked {
  readonly atMs: number;
  readonly client: number;
  readonly server: string;
  readonly connectedMs: number;
}

export class RebalanceWorld {
  readonly timeline = new Timeline();
  readonly servers = new Map<string, Server>();
  readonly asked: Asked[] = [];
  private readonly random: Random;
  private lastClient = 0;
  private lastServer = 0;

  constructor(random: Random) {
    this.random = random;
  }

  get up(): Server[] {
    return [...this.servers.values()].filter(({ isUp }) => isUp);
  }

  get counts(): number[] {
    return this.up.map(({ clients }) => clients.size);
  }

  join(): Server {
    const { nowMs } = this.timeline;
    const options = {
      tolerance: TOLERANCE,
      ratePerSecond: RATE_PER_SECOND,
      calmMs: CALM_MS,
      arrivalMs: 2 * ROUND_MS + NOTICE_MS,
    };
    const id = `s${this.lastServer++}`;
    const rebalance = new Rebalance(options, nowMs);
    const server = {
      id,
      rebalance,
      clients: new Set<Client>(),
      heard: new Map<string, number>(),
      isUp: true,
    };
    this.servers.set(id, server);
    this.tell(server);
    for (const other of this.up) if (other !== server) this.tell(other);
    this.lookLater(server);
    return server;
  }

  /** As lame duck mode does it: each client goes to any of the others. */
  leave(server: Server): void {
    server.isUp = false;
    this.servers.delete(server.id);
    for (const other of this.up) other.heard.delete(server.id);
    for (const client of server.clients)
      this.travel(
        client,
        this.up.map(({ id }) => id),
      );
    server.clients.clear();
  }

  connect(count: number, server: Server): void {
    for (let i = 0; i < count; i++) {
      server.clients.add({ id: this.lastClient++, connectedMs: this.timeline.nowMs });
    }
  }

  disconnect(count: number): void {
    for (let i = 0; i < count; i++) {
      const { clients } = this.pick(this.up);
      const [client] = clients;
      if (client !== undefined) clients.delete(client);
    }
  }

  private lookLater(server: Server): void {
    this.timeline.after(ROUND_MS * (0.9 + 0.2 * this.random.next()), () => {
      if (!server.isUp) return;
      this.look(server);
      this.lookLater(server);
    });
  }

  private look(server: Server): void {
    const { nowMs } = this.timeline;
    this.tell(server);
    const loads = { own: server.clients.size, others: server.heard };
    const { count, receivers } = server.rebalance.decide(loads, nowMs);
    if (count === 0) return;
    const old = [...server.clients].filter(({ connectedMs }) => nowMs - connectedMs >= CALM_MS);
    for (const client of old.slice(0, count)) {
      this.asked.push({ atMs: nowMs, client: client.id, server: server.id, connectedMs: client.connectedMs });
      server.clients.delete(client);
      this.travel(client, receivers);
    }
  }

  private tell(server: Server): void {
    const clients = server.clients.size;
    for (const other of this.up) {
      if (other === server) continue;
      this.timeline.after(randomInt(this.random, DELAY_MAX_MS), () => {
        if (server.isUp) other.heard.set(server.id, clients);
      });
    }
  }

  private travel(client: Client, to: readonly string[]): void {
    this.timeline.after(NOTICE_MS + randomInt(this.random, TRANSIT_MAX_MS), () => {
      const there = to.map((id) => this.servers.get(id)).filter((server) => server !== undefined);
      client.connectedMs = this.timeline.nowMs;
      this.pick(there.length > 0 ? there : this.up).clients.add(client);
    });
  }

  private pick<T>(from: readonly T[]): T {
    return from[randomInt(this.random, from.length)]!;
  }
}
