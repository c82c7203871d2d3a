/** The way to the other members: plain publish and subscribe in one account, without echo. */
import type { PeerId } from "../messages.ts";

export interface RaftTransport {
  /** Reaches all other servers that listen. `reply`: "" for none. Bytes may not change afterwards. */
  send(subject: string, reply: string, bytes: Uint8Array): void;
  /** Messages of the subject go to `RaftDriver.receive`. Interest is announced before anything that is sent afterwards. */
  listen(subject: string): void;
  ignore(subject: string): void;
  /** The peer is a shoal, so that heartbeats of many groups may go to it in one message. Absent: none is. */
  speaksBundles?(peer: PeerId): boolean;
}
