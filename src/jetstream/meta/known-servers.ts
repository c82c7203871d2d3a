/**
 * The servers with JetStream that this one has heard of, by what each tells in the system account: its name, its cluster, its room, and
 * that it leaves. nats-servers tell the same.
 *
 * Bounded: SERVERS_MAX, of which the one that was heard longest ago makes room.
 */
import { hashName } from "../../base/base62.ts";
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { GroupTransport } from "../group/group.ts";

const SERVERS_MAX = 1024;
/** A server that has told nothing for so long counts as gone. */
const SILENT_MS = 150_000;

export interface KnownServer {
  readonly peer: PeerId;
  readonly name: string;
  readonly id: string;
  readonly cluster: string;
  readonly tags: readonly string[];
  readonly hasJetStream: boolean;
  readonly isOnline: boolean;
  readonly heardMs: number;
  /** Bytes that may still be stored; 0: it has not told. */
  readonly fileBytesLeft: number;
  readonly memoryBytesLeft: number;
  /** Replicated streams and consumers. */
  readonly haAssets: number;
  /** The members of the meta group, where it leads that; empty: it does not say. */
  readonly led: readonly PeerId[];
}

/** The documents of other servers; field names are nats-server's. */
type Json = Record<string, unknown>;

export class KnownServers {
  private readonly byPeer = new Map<PeerId, KnownServer>();
  private readonly clock: Clock;
  private readonly ears: Disposable[];
  /** A server has come, gone, or told of itself. */
  onChanged: () => void = () => {};

  constructor(transport: GroupTransport, clock: Clock) {
    this.clock = clock;
    const on = (what: string, take: (json: Json) => void): Disposable =>
      transport.listen(`$SYS.SERVER.*.${what}`, (_subject, _reply, payload) => {
        const json = parse(payload);
        if (json !== null) take(json);
      });
    this.ears = [
      on("STATSZ", (json) => this.heard(json)),
      on("SHUTDOWN", (json) => this.left(json)),
      on("LAMEDUCK", (json) => this.left(json)),
    ];
  }

  stop(): void {
    for (const ear of this.ears) ear[Symbol.dispose]();
  }

  /** Its name; "": it is not known. */
  nameOf(peer: PeerId): string {
    return this.byPeer.get(peer)?.name ?? "";
  }

  get(peer: PeerId): KnownServer | undefined {
    return this.byPeer.get(peer);
  }

  isOnline(peer: PeerId): boolean {
    const known = this.byPeer.get(peer);
    return known !== undefined && known.isOnline && this.clock.nowMs() - known.heardMs < SILENT_MS;
  }

  /** Those with JetStream. */
  get servers(): KnownServer[] {
    return [...this.byPeer.values()].filter(({ hasJetStream }) => hasJetStream);
  }

  /** A server that sends messages of a group is there. */
  private heard(json: Json): void {
    const server = recordOf(json["server"]);
    const name = textOf(server["name"]);
    if (name === "") return;
    const jetStream = recordOf(recordOf(json["statsz"])["jetstream"]);
    const config = recordOf(jetStream["config"]);
    const stats = recordOf(jetStream["stats"]);
    const peer = hashName(name);
    const id = textOf(server["id"]);
    const before = this.byPeer.get(peer);
    // one that has said that it goes still tells of itself while its clients leave; when it starts again it has another id
    const isGoing = before?.isOnline === false && before.id === id;
    this.byPeer.delete(peer);
    this.byPeer.set(peer, {
      peer,
      name,
      id,
      cluster: textOf(server["cluster"]),
      tags: Array.isArray(server["tags"]) ? server["tags"].map(textOf) : [],
      hasJetStream: server["jetstream"] === true,
      isOnline: !isGoing,
      heardMs: this.clock.nowMs(),
      fileBytesLeft: left(config["max_storage"], stats["storage"], stats["reserved_storage"]),
      memoryBytesLeft: left(config["max_memory"], stats["memory"], stats["reserved_memory"]),
      haAssets: numberOf(stats["ha_assets"]),
      led: membersLedBy(name, recordOf(jetStream["meta"])),
    });
    if (this.byPeer.size > SERVERS_MAX) this.byPeer.delete(this.byPeer.keys().next().value!);
    if ((before?.isOnline !== true && !isGoing) || before?.hasJetStream !== (server["jetstream"] === true))
      this.onChanged();
  }

  private left(json: Json): void {
    const server = recordOf(json["server"] ?? json);
    const peer = hashName(textOf(server["name"]));
    const known = this.byPeer.get(peer);
    if (known === undefined || known.id !== textOf(server["id"])) return;
    this.byPeer.set(peer, { ...known, isOnline: false });
    this.onChanged();
  }
}

/** A limit of -1 is none. */
function left(max: unknown, used: unknown, reserved: unknown): number {
  const most = typeof max === "number" ? max : 0;
  if (most < 0) return Number.MAX_SAFE_INTEGER;
  const taken = numberOf(reserved) > most ? numberOf(used) : Math.max(numberOf(used), numberOf(reserved));
  return Math.max(0, most - taken);
}

/** Only the leader of the meta group names the members. Empty: the server does not lead it. */
function membersLedBy(name: string, { leader, replicas }: Json): readonly PeerId[] {
  if (leader !== name || !Array.isArray(replicas)) return [];
  const others = replicas.map((one) => textOf(recordOf(one)["peer"])).filter((peer) => PEER.test(peer));
  return [...new Set([hashName(name), ...others])];
}

const PEER = /^[0-9A-Za-z]{8}$/;

function parse(payload: Uint8Array): Json | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString("latin1"));
    return typeof value === "object" && value !== null ? (value as Json) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const numberOf = (value: unknown): number => (typeof value === "number" ? value : 0);

function recordOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
