/**
 * Whether groups keep a majority without a server that is about to end. The leaders of its groups are asked, since they alone know who is
 * there. Of servers that are about to end at the same time the first by id counts as gone for the others, so that they go one by one.
 *
 *     the id of the server          ─▶ $SHOAL.GROUPS.PART
 *     {"count", "some": [names]}    ─▶ $SHOAL.GROUPS.PARTING.<id>    of groups that need it
 */
import type { Clock } from "../base/clock.ts";
import { PEER_ID_BYTES } from "../raft/wire.ts";
import type { PeerId } from "../raft/messages.ts";
import type { Group, GroupTransport } from "./group/group.ts";

const ASK = "$SHOAL.GROUPS.PART";
const ANSWER = "$SHOAL.GROUPS.PARTING";
/** Answers that come later count for the next question. */
const ANSWERS_MS = 250;
const NAMED_MAX = 5;

export interface PartingOptions {
  readonly self: PeerId;
  readonly transport: GroupTransport;
  readonly clock: Clock;
  /** All that this server is a member of. */
  readonly groups: () => Iterable<Group>;
  readonly isOnline: (peer: PeerId) => boolean;
}

/** Groups that would have no majority. */
export interface NeededBy {
  readonly count: number;
  /** The names of some. */
  readonly some: readonly string[];
}

export class Parting {
  private readonly options: PartingOptions;
  private readonly ears: readonly Disposable[];
  /** Since the question. */
  private count = 0;
  private some: string[] = [];

  constructor(options: PartingOptions) {
    this.options = options;
    const { transport, self } = options;
    this.ears = [
      transport.listen(ASK, (_subject, _reply, payload) => {
        const peer = Buffer.from(payload).toString("latin1");
        if (peer.length === PEER_ID_BYTES) this.answer(peer);
      }),
      transport.listen(`${ANSWER}.${self}`, (_subject, _reply, payload) => this.take(payload)),
    ];
  }

  stop(): void {
    for (const ear of this.ears) ear[Symbol.dispose]();
  }

  /** Groups that need this server, as their leaders know. */
  async ask(): Promise<NeededBy> {
    const { transport, self, clock } = this.options;
    this.count = 0;
    this.some = [];
    transport.send(ASK, "", Buffer.from(self, "latin1"));
    await new Promise<void>((resolve) => clock.setTimer(ANSWERS_MS, resolve));
    return { count: this.count, some: this.some };
  }

  /** Resolves when no group needs this server, or after a while: with those that do. */
  async wait(withinMs: number): Promise<NeededBy> {
    const { clock } = this.options;
    const untilMs = clock.nowMs() + withinMs;
    for (;;) {
      const needed = await this.ask();
      if (needed.count === 0 || clock.nowMs() >= untilMs) return needed;
    }
  }

  private answer(peer: PeerId): void {
    const needing = [...this.options.groups()].filter((group) => this.needs(group, peer));
    if (needing.length === 0) return;
    const told = { count: needing.length, some: needing.slice(0, NAMED_MAX).map(({ name }) => name) };
    this.options.transport.send(`${ANSWER}.${peer}`, "", Buffer.from(JSON.stringify(told), "latin1"));
  }

  /** Somebody else is missing, so that waiting helps. */
  private needs(group: Group, peer: PeerId): boolean {
    const { self, isOnline } = this.options;
    const members = group.peers.peers;
    if (!group.leads || !members.includes(peer)) return false;
    const others = members.filter((one) => one !== peer);
    const there = others.filter(
      (one) => (one === self || group.progressOf(one).isNear) && (isOnline(one) || one > peer),
    );
    return there.length < others.length && there.length <= members.length / 2;
  }

  private take(payload: Uint8Array): void {
    try {
      const { count, some } = JSON.parse(Buffer.from(payload).toString("latin1")) as Partial<NeededBy>;
      if (typeof count !== "number" || !Array.isArray(some)) return;
      this.count += count;
      this.some.push(...some.filter((one) => typeof one === "string").slice(0, NAMED_MAX - this.some.length));
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    }
  }
}
