/**
 * Servers that are to leave the cluster for good (`SERVER.REMOVE`). Others take over what such a server keeps; where it has the only copy, it
 * stays a member until they have that, as long as it is there. Every server remembers the request, since any may come to lead the meta
 * group, and the one that leads it carries it out.
 *
 *     asked ─▶ copies elsewhere are begun ─▶ nothing has its only copy there, or the server is gone ─▶ no member any more
 *
 * Bounded: LEAVING_MAX servers, for REMEMBERED_MS each.
 */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { GroupAssignment } from "../meta/assignments.ts";
import { emptyServer, type PlacementRoom } from "./cluster-moves.ts";

const LEAVING_MAX = 64;
const REMEMBERED_MS = 3_600_000;
const LOOK_MS = 500;
/** Streams and consumers that one log line names. */
const SHOWN_MAX = 20;

export interface LeavingServersHost {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly around: () => PlacementRoom;
  readonly isOnline: (peer: PeerId) => boolean;
  readonly nameOf: (peer: PeerId) => string;
}

interface Leaving {
  readonly untilMs: number;
  isTold: boolean;
}

export class LeavingServers {
  private readonly host: LeavingServersHost;
  private readonly leaving = new Map<PeerId, Leaving>();
  private timer: Disposable | null = null;

  constructor(host: LeavingServersHost) {
    this.host = host;
  }

  stop(): void {
    this.timer?.[Symbol.dispose]();
  }

  /** One that is no member is not remembered: it may become one later. */
  begin(peer: PeerId): void {
    const { clock } = this.host;
    if (!this.isMember(peer) || this.leaving.has(peer) || this.leaving.size >= LEAVING_MAX) return;
    this.leaving.set(peer, { untilMs: clock.nowMs() + REMEMBERED_MS, isTold: false });
    this.look();
  }

  private isMember(peer: PeerId): boolean {
    return this.host.around().meta.group?.peers.peers.includes(peer) === true;
  }

  private look(): void {
    const { clock, around } = this.host;
    this.timer?.[Symbol.dispose]();
    for (const [peer, one] of this.leaving) {
      if (!this.isMember(peer)) this.leaving.delete(peer);
      else if (clock.nowMs() >= one.untilMs) this.giveUp(peer);
      else if (around().meta.leads) this.empty(peer, one);
    }
    this.timer = this.leaving.size === 0 ? null : clock.setTimer(LOOK_MS, () => this.look());
  }

  private empty(peer: PeerId, one: Leaving): void {
    const { around } = this.host;
    const { meta } = around();
    meta.whenSettled(() => emptyServer({ ...around(), isThere: this.host.isOnline }, peer));
    meta.whenSettled(() => this.remove(peer, one));
  }

  /** Everything that could be moved is on its way. */
  private remove(peer: PeerId, one: Leaving): void {
    const { around, isOnline, logger, nameOf } = this.host;
    const { meta } = around();
    if (!this.leaving.has(peer)) return;
    const only = this.onlyOn(peer);
    const about = { server: nameOf(peer), count: only.length, assets: only.slice(0, SHOWN_MAX) };
    if (only.length > 0 && isOnline(peer)) {
      if (!one.isTold)
        logger.info(
          "a server that is to leave has the only copies of some streams: it waits for others",
          about,
        );
      one.isTold = true;
      return;
    }
    if (only.length > 0)
      logger.error(
        "a server leaves the cluster with the only copies of some streams: start it with its store to have them back",
        about,
      );
    this.leaving.delete(peer);
    meta.removePeer(peer);
  }

  private giveUp(peer: PeerId): void {
    const { logger, nameOf, around } = this.host;
    this.leaving.delete(peer);
    if (!around().meta.leads) return;
    logger.warn("a server was not removed: no other server can take its only copies of some streams", {
      server: nameOf(peer),
      assets: this.onlyOn(peer).slice(0, SHOWN_MAX),
    });
  }

  /** Streams and consumers of which nobody else has a copy that counts. */
  private onlyOn(peer: PeerId): string[] {
    const isOnly = ({ peers, desired }: GroupAssignment): boolean =>
      (desired?.members ?? peers).every((one) => one === peer) && peers.includes(peer);
    const found: string[] = [];
    for (const { assignment, consumers } of this.host.around().meta.assignments.all()) {
      const name = `${assignment.account}/${assignment.config.name}`;
      if (isOnly(assignment.group)) found.push(name);
      for (const consumer of consumers.values())
        if (isOnly(consumer.group)) found.push(`${name}/${consumer.name}`);
    }
    return found;
  }
}
