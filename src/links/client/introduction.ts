/** What the server says of itself to a client, by INFO, and what the log says of the connection before anything is said on it. */
import { isIntroduced } from "../trunk/phase.ts";
import type { InfoContext } from "./host.ts";
import type { Client } from "./client.ts";

export class Introduction {
  private readonly session: Client;
  /** The account that the client was told by INFO; "": none yet. */
  private toldAccount = "";

  constructor(session: Client) {
    this.session = session;
  }

  /** The first INFO. */
  greet(): void {
    this.send({ nonce: this.session.nonce });
  }

  /** Sends INFO again, to a client that takes it: members have changed, or it should `moveTo` one of those. */
  sendInfo(moveTo?: InfoContext["moveTo"]): void {
    if (this.takesInfo) this.send({ moveTo });
  }

  /** Tells the client once in which account it is, if it takes INFO. */
  tellAccount(): void {
    if (this.toldAccount !== "" || !this.takesInfo) return;
    const { name: account } = this.session.account;
    this.toldAccount = account;
    this.send({ account });
  }

  /** Whether INFO may come at any time. */
  get takesInfo(): boolean {
    const { standing, hello } = this.session;
    return isIntroduced(standing) && hello.protocol >= 1;
  }

  logSecurity(): void {
    const { wire, log } = this.session;
    if (wire.security === null) return;
    const { version, cipherSuite } = wire.security;
    log.debug(`TLS handshake complete, version ${version}, cipher suite ${cipherSuite}`);
  }

  private send(more: Pick<InfoContext, "nonce" | "moveTo" | "account">): void {
    const { cid, wire, limits, arrival, host } = this.session;
    const context: InfoContext = {
      side: arrival.entrance.side,
      needsCredentials: host.authenticator.hasSecrets,
      cid,
      clientAddress: wire.remote.address,
      maxPayloadBytes: limits.current.maxPayloadBytes,
      isTlsFirst: wire.security?.isFirst ?? false,
    };
    this.session.say(host.info({ ...context, ...more }));
  }
}
