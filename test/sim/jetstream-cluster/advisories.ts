/**
 * What the servers tell of leaders and majorities. In the end the leader of a stream is the one that was told of last, and nobody tells that
 * a majority is lost while all servers have been there and connected for a while.
 */
import type { Carried, SimulatedServer } from "./server.ts";

const ADVISORIES = "$JS.EVENT.ADVISORY.";
const LEADER_ELECTED = `${ADVISORIES}STREAM.LEADER_ELECTED.`;
const QUORUM_LOST = /^\$JS\.EVENT\.ADVISORY\.\w+\.QUORUM_LOST\./;
/** A leader that has not heard a majority for so long gives up, and it may have been busy elsewhere before. */
const CALM_MS = 20_000;

interface AdvisoriesWorld {
  readonly servers: readonly SimulatedServer[];
  readonly nowMs: number;
  /** All servers have been there and connected since then; Infinity: they are not. */
  readonly calmSinceMs: number;
  breach(text: string): void;
}

export class Advisories {
  private readonly world: AdvisoriesWorld;
  /** By stream: the name of the leader that was told of last. */
  private readonly leaders = new Map<string, string>();

  constructor(world: AdvisoriesWorld) {
    this.world = world;
  }

  take({ account, subject, payload }: Carried): void {
    if (account !== "A" || !subject.startsWith(ADVISORIES)) return;
    const told = JSON.parse(Buffer.from(payload).toString("latin1")) as Record<string, unknown>;
    if (subject.startsWith(LEADER_ELECTED)) this.leaders.set(String(told["stream"]), String(told["leader"]));
    const { world } = this;
    if (QUORUM_LOST.test(subject) && world.nowMs - world.calmSinceMs > CALM_MS)
      world.breach(`${subject} is told, though all servers are there`);
  }

  judge(): void {
    if (this.leaders.size === 0) this.world.breach("nobody has told of a leader");
    for (const [stream, leader] of this.leaders) {
      const leads = this.world.servers.find(
        ({ cluster }) => cluster?.assets.standing("A", stream, "") === "leads",
      );
      if (leads !== undefined && leads.name !== leader)
        this.world.breach(`${leads.name} leads ${stream}, and ${leader} was told to do so last`);
    }
  }
}
