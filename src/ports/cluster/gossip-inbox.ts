/**
 * What members tell of other servers, until it is read: some at a time, so that thousands of INFOs in one read do not hold up
 * what clients send. The same INFO told by several members is read once.
 *
 * Bound: WAITING_BYTES_MAX of text. What comes beyond it is dropped; the rounds of gossip bring it again.
 */
import { assert } from "../../base/assert.ts";
export interface GossipHost<Session> {
  read(session: Session, json: string): void;
  /** There was no room for one more. */
  dropped(): void;
  /** Calls `work` in the next round of the event loop. */
  nextRound(work: () => void): void;
}

const WAITING_BYTES_MAX = 8 * 1024 * 1024;
const PER_TURN = 40;
const BYTES_PER_TURN = 32 * 1024;

export class GossipInbox<Session> {
  private readonly waiting = new Map<string, Session>();
  private waitingBytes = 0;
  private readonly host: GossipHost<Session>;
  private readonly serve = (): void => this.readSome();

  constructor(host: GossipHost<Session>) {
    this.host = host;
  }

  take(session: Session, json: string): void {
    const { waiting } = this;
    if (waiting.has(json)) return;
    if (this.waitingBytes + json.length > WAITING_BYTES_MAX) return this.host.dropped();
    waiting.set(json, session);
    this.waitingBytes += json.length;
    assert(this.waitingBytes <= WAITING_BYTES_MAX, "gossip that waits stays within its bound");
    if (waiting.size === 1) this.host.nextRound(this.serve);
  }

  clear(): void {
    this.waiting.clear();
    this.waitingBytes = 0;
  }

  private readSome(): void {
    const { waiting } = this;
    let [count, size] = [0, 0];
    for (const [json, session] of waiting) {
      if (count >= PER_TURN || size >= BYTES_PER_TURN) break;
      waiting.delete(json);
      this.waitingBytes -= json.length;
      assert(this.waitingBytes >= 0, "gossip is read once");
      count++;
      size += json.length;
      this.host.read(session, json);
    }
    if (waiting.size > 0) this.host.nextRound(this.serve);
  }
}
