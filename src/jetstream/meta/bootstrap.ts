/**
 * How a meta group begins. A server whose disk has nothing of one asks the others. Where all servers that there have to be say that they
 * have nothing either, and that they know the same servers, these are the members of a new group. As soon as one of them has something,
 * there is a group already, and this server joins it or has lost its disk: either way it counts for nothing before it has all that a
 * leader has. So servers that have lost their disks never begin again while one that has not may still be there.
 */
import type { Clock } from "../../base/clock.ts";
import { randomToken } from "../../base/base62.ts";
import type { Random } from "../../base/random.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { GroupTransport } from "../group/group.ts";

const SUBJECT = "$SHOAL.META.BOOT";
const ASK_MS = 250;
/** Nothing that others say is believed for longer. */
const FRESH_MS = 2000;

type BootstrapResult =
  | { readonly kind: "new"; readonly peers: readonly PeerId[] }
  | { readonly kind: "existing"; readonly peers: readonly PeerId[] };

interface Told {
  readonly peer: PeerId;
  readonly life: string;
  /** It has a group, whose members it knows to be these. */
  readonly hasGroup: boolean;
  /** Those that it has heard in the same state, itself among them, in order: peer and life, as a server that starts again is another one. */
  readonly known: readonly string[];
}

export interface BootstrapOptions {
  readonly self: PeerId;
  /** Servers, this one included, that there have to be; Infinity: this server begins no group. Asked each time, since it may change. */
  readonly expected: () => number;
  readonly transport: GroupTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly begin: (result: BootstrapResult) => void;
}

export class Bootstrap {
  private readonly options: BootstrapOptions;
  private readonly heard = new Map<PeerId, { readonly told: Told; readonly atMs: number }>();
  private readonly ear: Disposable;
  private timer: Disposable | null = null;
  private readonly life: string;
  /** null: not decided yet. */
  private members: readonly string[] | null;

  /** `members`: of the group that this server has; null: it has nothing. */
  constructor(options: BootstrapOptions, members: readonly PeerId[] | null) {
    this.options = options;
    this.members = members;
    this.life = randomToken(options.random);
    this.ear = options.transport.listen(SUBJECT, (_subject, _reply, payload) => this.take(payload));
    this.tell();
  }

  stop(): void {
    this.ear[Symbol.dispose]();
    this.timer?.[Symbol.dispose]();
  }

  private get known(): readonly string[] {
    if (this.members !== null) return this.members;
    const { clock, self } = this.options;
    const freshMs = clock.nowMs() - FRESH_MS;
    const fresh = [...this.heard.values()].filter(({ atMs }) => atMs >= freshMs);
    return [alive(self, this.life), ...fresh.map(({ told }) => alive(told.peer, told.life))].toSorted();
  }

  private tell(): void {
    const { clock } = this.options;
    this.say();
    this.decide();
    if (this.members === null) this.timer = clock.setTimer(ASK_MS, () => this.tell());
  }

  private say(): void {
    const { self: peer, transport } = this.options;
    const told: Told = { peer, life: this.life, hasGroup: this.members !== null, known: this.known };
    transport.send(SUBJECT, "", Buffer.from(JSON.stringify(told)));
  }

  private take(payload: Uint8Array): void {
    const told = readTold(payload);
    const { self, clock } = this.options;
    if (told === null || told.peer === self) return;
    if (this.members === null) this.heard.set(told.peer, { told, atMs: clock.nowMs() });
    else if (!told.hasGroup) this.say();
    this.decide();
  }

  private decide(): void {
    if (this.members !== null) return;
    const { self, expected, begin } = this.options;
    const { known } = this;
    const tells = [...this.heard.values()]
      .map(({ told }) => told)
      .filter(({ peer, life }) => known.includes(alive(peer, life)));
    const begun = tells.find(({ hasGroup }) => hasGroup);
    if (begun !== undefined && !sameList(begun.known, known)) {
      this.members = begun.known;
      const peers = begun.known.map(peerIn);
      begin({ kind: "existing", peers: [...new Set([...peers, self])].toSorted() });
      return;
    }
    // one that has begun with exactly those that this server knows has heard all of them say that they had nothing
    if (begun === undefined && known.length < expected()) return;
    if (!tells.every((told) => sameList(told.known, known))) return;
    this.members = known;
    this.say();
    begin({ kind: "new", peers: known.map(peerIn) });
  }
}

const alive = (peer: PeerId, life: string): string => `${peer} ${life}`;
const peerIn = (told: string): PeerId => told.split(" ", 1)[0]!;

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}

function readTold(payload: Uint8Array): Told | null {
  try {
    const { peer, life, hasGroup, known } = JSON.parse(
      Buffer.from(payload).toString("latin1"),
    ) as Partial<Told>;
    if (
      typeof peer !== "string" ||
      typeof life !== "string" ||
      typeof hasGroup !== "boolean" ||
      !Array.isArray(known)
    )
      return null;
    return { peer, life, hasGroup, known };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
