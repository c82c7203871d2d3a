/**
 * Which zone this server is in, and what follows for its routes: their ranks for queue groups. That members of the lowest
 * rank come first is the core's business. A nats-server tells of no zone and counts as elsewhere.
 */
import type { Accounts } from "../../core/accounts.ts";
import type { RouteSession } from "../../links/route/session.ts";
import { text } from "../../protocol/route-info.ts";

/** Which members of a queue group come first: those on this server, those here and then in the same zone, or none. */
export type QueuePreference = "server" | "zone" | "none";

const RANK_AS_HERE = 0;
const RANK_NEAR = 1;
const RANK_ELSEWHERE = 2;
const ZONE_MAX_CHARS = 128;

type Info = Readonly<Record<string, unknown>>;

export class Zones {
  /** Zone of this server; "": unknown. */
  own: string;
  /** It became known after the start. */
  isLearned = false;
  private readonly preference: QueuePreference;
  private readonly accounts: Accounts;

  constructor(own: string, preference: QueuePreference, accounts: Accounts) {
    this.own = own;
    this.preference = preference;
    this.accounts = accounts;
  }

  /** A route that is about to be registered: it has told of no interest yet. */
  place(session: RouteSession): void {
    session.peer.zone = zoneOf(session.peer.info ?? {});
    session.rank = this.rankOf(session.peer.zone);
  }

  /** Returns whether this is news. */
  learn(zone: string, sessions: Iterable<RouteSession>): boolean {
    if (zone === this.own) return false;
    this.own = zone;
    this.isLearned = true;
    this.rankAnew(sessions);
    return true;
  }

  /** A later INFO of the peer whose routes these are. */
  hear(sessions: Iterable<RouteSession>, info: Info): void {
    const zone = zoneOf(info);
    const moved = [...sessions].filter((session) => session.peer.zone !== zone);
    for (const session of moved) session.peer.zone = zone;
    this.rankAnew(moved);
  }

  private rankAnew(sessions: Iterable<RouteSession>): void {
    let isChanged = false;
    for (const session of sessions) {
      const rank = this.rankOf(session.peer.zone);
      isChanged ||= rank !== session.rank;
      session.rank = rank;
    }
    if (isChanged) for (const account of this.accounts) account.interest.changedAltogether();
  }

  private rankOf(zone: string): number {
    switch (this.preference) {
      case "none":
        return RANK_AS_HERE;
      case "server":
        return RANK_ELSEWHERE;
      case "zone":
        return zone !== "" && zone === this.own ? RANK_NEAR : RANK_ELSEWHERE;
    }
  }
}

function zoneOf(info: Info): string {
  return text(info, "zone").slice(0, ZONE_MAX_CHARS);
}
