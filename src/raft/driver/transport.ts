/** The way to the other members: plain publish and subscribe in one account, without echo. */
export interface RaftTransport {
  /** Reaches all other servers that listen. `reply`: "" for none. Bytes may not change afterwards. */
  send(subject: string, reply: string, bytes: Uint8Array): void;
  /** Messages of the subject, which may have a wildcard as its last token, go to `RaftDriver.receive`. Interest is announced before anything that is sent afterwards. */
  listen(subject: string): void;
  ignore(subject: string): void;
}
