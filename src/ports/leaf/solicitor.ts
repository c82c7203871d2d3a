/**
 * Keeps one configured remote connected: dials, hands the wire on, and dials again when the connection has ended. `cluster/remotes.ts` decides which
 * address comes next, and when. Invariant: for each remote there is at most one dial or one connection.
 */
import { assert } from "../../base/assert.ts";
import { RemoteDials } from "../../cluster/remotes.ts";
import type { Clock } from "../../base/clock.ts";
import { hostPort } from "../../base/host-port.ts";
import type { Logger } from "../../base/logger.ts";
import type { Random } from "../../base/random.ts";
import type { LeafInfo } from "../../protocol/leaf-info.ts";
import type { TlsTerms } from "../../transport/tls.ts";
import type { Wire } from "../../transport/wire.ts";
import type { LeafDial, LeafDialHost } from "./dial.ts";
import type { LeafAddress, LeafRemoteSettings } from "./leaf-settings.ts";

export interface SolicitorOptions {
  readonly settings: LeafRemoteSettings;
  /** Before the next dial; doubled with each failure. */
  reconnectMs(this: void): number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly dial: LeafDial;
  readonly dialHost: LeafDialHost;
  tls(): TlsTerms;
  /** Whether the local account is there; with an operator it may have to be looked up. The promise is never rejected. */
  hasAccount(): boolean | Promise<boolean>;
  /** A wire to the hub; `address` is the one that was dialled. */
  onWire(wire: Wire, infoJson: string | null, address: LeafAddress): void;
}

/** The first failure in a row is logged as an error, and then each of this number. */
const LOGGED_EACH = 20;

export class Solicitor implements Disposable {
  /** Only times change while it is there. */
  settings: LeafRemoteSettings;
  private readonly options: SolicitorOptions;
  private readonly dials: RemoteDials<LeafAddress>;
  /** A dial, or the time until the next one. */
  private underWay: Disposable | null = null;
  private isConnected = false;
  private isOver = false;

  constructor(options: SolicitorOptions) {
    const { settings, reconnectMs, random } = options;
    this.options = options;
    this.settings = settings;
    const { addresses: configured, keepsOrder } = settings;
    this.dials = new RemoteDials({ configured, keepsOrder, intervalMs: reconnectMs }, random);
  }

  start(): void {
    if (!this.settings.isDisabled) this.dial();
  }

  /** Messages can cross: the next failure counts as the first. */
  opened(): void {
    this.dials.connected();
  }

  /** The connection has ended. `delayMs`: wait at least so long; `wasOfUse`: messages could cross. */
  ended(delayMs: number, wasOfUse: boolean): void {
    this.isConnected = false;
    if (this.isOver) return;
    const usualMs = wasOfUse ? this.dials.ended() : this.dials.failed();
    this.dialAfter(Math.max(delayMs, usualMs));
  }

  /** The hub has said where it can be dialled: over WebSocket, where that is how it is dialled. */
  learn({ leafUrls, webSocketUrls }: LeafInfo): void {
    const { ignoresDiscovered, addresses } = this.settings;
    const isWebSocket = addresses[0]?.webSocketPath !== null;
    const urls = isWebSocket ? webSocketUrls : leafUrls;
    if (ignoresDiscovered || urls.length === 0) return;
    const isSecured = addresses.some((one) => one.isSecured);
    this.dials.learn(urls.flatMap((url) => addressOf(url, { isSecured, isWebSocket }) ?? []));
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    this.underWay?.[Symbol.dispose]();
    this.underWay = null;
  }

  private dialAfter(ms: number): void {
    this.underWay?.[Symbol.dispose]();
    this.underWay = this.options.clock.setTimer(ms, () => this.dial());
  }

  /** Once the account is there. */
  private dial(): void {
    const found = this.options.hasAccount();
    if (!(found instanceof Promise)) return this.dialFor(found);
    let isStopped = false;
    this.underWay = { [Symbol.dispose]: () => (isStopped = true) };
    void found.then((hasAccount) => isStopped || this.dialFor(hasAccount));
  }

  private dialFor(hasAccount: boolean): void {
    this.underWay = null;
    if (hasAccount) return this.dialNext();
    const waitMs = this.dials.failed();
    const { account } = this.settings;
    this.logFailure(`Unable to lookup account ${account} for solicited leafnode connection: account missing`);
    this.dialAfter(waitMs);
  }

  private dialNext(): void {
    const { settings, options } = this;
    assert(!this.isConnected, "of each remote one connection stands");
    const address = this.dials.take();
    const shown = hostPort(address.host, address.port);
    options.logger.debug(`Trying to connect as leafnode to remote server on "${shown}"`);
    const names = settings.addresses.map(({ host }) => host);
    const terms = {
      timeoutMs: settings.dialTimeoutMs,
      infoTimeoutMs: settings.infoTimeoutMs,
      tls: options.tls(),
      isTlsWanted: settings.hasTls,
      isTlsFirst: settings.isTlsFirst,
      names,
      webSocket: settings.webSocket,
    };
    this.underWay = options.dial(address, terms, options.dialHost, {
      connected: (wire, infoJson) => {
        this.underWay = null;
        if (this.isOver) return wire.destroy();
        this.isConnected = true;
        options.onWire(wire, infoJson, address);
      },
      failed: (detail) => {
        this.underWay = null;
        const waitMs = this.dials.failed();
        const at = JSON.stringify(shown);
        const attempt = `(attempt ${this.dials.failureCount})`;
        this.logFailure(`Error trying to connect as leafnode to remote server ${at} ${attempt}: ${detail}`);
        if (!this.isOver) this.dialAfter(waitMs);
      },
    });
  }

  private logFailure(text: string): void {
    const { failureCount } = this.dials;
    const { logger } = this.options;
    if (failureCount === 1 || failureCount % LOGGED_EACH === 0) logger.error(text);
    else logger.debug(text);
  }
}

/** Reads `host:port` of INFO. */
function addressOf(
  url: string,
  { isSecured, isWebSocket }: { readonly isSecured: boolean; readonly isWebSocket: boolean },
): LeafAddress | null {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(url);
  const port = Number(match?.[3] ?? 0);
  if (match === null || port < 1 || port > 65_535) return null;
  return {
    host: match[1] ?? match[2] ?? "",
    port,
    isSecured,
    webSocketPath: isWebSocket ? "" : null,
    user: null,
    pass: null,
  };
}
