/**
 * Whose copy of a stream is complete: the log of its group says only who has the log. The leader asks, the others answer.
 *
 *     "" ─▶ $SHOAL.COPY.<group>      {"peer", "last", "isComplete"} ─▶ inbox
 */
import { randomToken } from "../../base/base62.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { Stream } from "../stream/stream.ts";
import type { GroupTransport } from "./group.ts";

/** A report counts for so long. */
const FRESH_MS = 2000;
const NOTHING = new Uint8Array(0);

export interface CopyReportsHost {
  readonly stream: Stream;
  readonly self: PeerId;
  readonly transport: GroupTransport;
  readonly group: string;
  /** This copy lacks nothing of what was agreed on, as far as it knows. */
  readonly isComplete: () => boolean;
}

export class CopyReports {
  private readonly host: CopyReportsHost;
  private readonly inbox: string;
  private readonly ears: Disposable[];
  private readonly told = new Map<PeerId, { readonly last: number; readonly atMs: number }>();
  /** Whoever has this message by now has all from before. */
  private mark = Infinity;
  private nextMark = Infinity;

  constructor(host: CopyReportsHost) {
    const { stream, self, transport, group, isComplete } = host;
    this.host = host;
    this.inbox = `$JSC.R.${randomToken(stream.host.random)}`;
    this.ears = [
      transport.listen(`$SHOAL.COPY.${group}`, (_subject, reply) => {
        const report = { peer: self, last: stream.store.last, isComplete: isComplete() };
        if (reply !== "" && reply !== this.inbox)
          transport.send(reply, "", Buffer.from(JSON.stringify(report)));
      }),
      transport.listen(this.inbox, (_subject, _reply, payload) => this.take(payload)),
    ];
  }

  stop(): void {
    for (const ear of this.ears) ear[Symbol.dispose]();
  }

  ask(): void {
    const { transport, group, stream } = this.host;
    this.mark = this.nextMark;
    this.nextMark = stream.store.last;
    transport.send(`$SHOAL.COPY.${group}`, this.inbox, NOTHING);
  }

  isComplete(peer: PeerId): boolean {
    const told = this.told.get(peer);
    if (told === undefined || this.host.stream.host.clock.nowMs() - told.atMs > FRESH_MS) return false;
    return told.last >= this.mark;
  }

  private take(payload: Uint8Array): void {
    const told = readReport(payload);
    if (told === null) return;
    const { peer, last, isComplete } = told;
    if (isComplete) this.told.set(peer, { last, atMs: this.host.stream.host.clock.nowMs() });
    else this.told.delete(peer);
  }
}

function readReport(
  payload: Uint8Array,
): { readonly peer: PeerId; readonly last: number; readonly isComplete: boolean } | null {
  try {
    const json = JSON.parse(Buffer.from(payload).toString("latin1")) as Record<string, unknown>;
    const { peer, last, isComplete } = json;
    if (typeof peer !== "string" || typeof isComplete !== "boolean" || !Number.isSafeInteger(last))
      return null;
    return { peer, last: last as number, isComplete };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
