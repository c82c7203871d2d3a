/**
 * How a leaf connection comes about and ends: TLS, INFO and CONNECT, admission, later changes of users, and closing. session.ts builds on this
 * and has what crosses the connection; handshake.ts decides by CONNECT and INFO.
 *
 *     accepted   our INFO ->   | <- CONNECT | INFO with account and rules, interest -> | open
 *     dialled    <- INFO | CONNECT -> | <- INFO with account and rules | interest -> | open
 */
import { assertOwn } from "../../base/assert.ts";
import type { Grant, Verdict } from "../../auth/grant.ts";
import type { Account } from "../../core/account.ts";
import { CLIENT_CLOSED, closeCause, TLS_FAILED, type CloseCause } from "../../protocol/close-cause.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import { toByteString } from "../../protocol/info.ts";
import {
  readLeafConnect,
  readLeafInfo,
  readToldCompression,
  type LeafInfo,
} from "../../protocol/leaf-info.ts";
import { onOneLine } from "../../protocol/quote.ts";
import type { Opening, Wire } from "../../transport/wire.ts";
import { Agreement } from "../trunk/compression.ts";
import { Connection } from "../trunk/connection.ts";
import { ROUTE_READER } from "../trunk/outbox.ts";
import { GREETED, OPEN } from "../trunk/phase.ts";
import {
  connectProblem,
  infoProblem,
  onOneToken,
  peerOf,
  redialDelayAfter,
  rulesForConnect,
  rulesForInfo,
  type LeafPeer,
} from "./handshake.ts";
import type { LeafHost, LeafRemote } from "./host.ts";
import type { LeafRules, LeafRulesOptions } from "./rules.ts";

const UNKNOWN: LeafPeer = {
  serverId: "",
  name: "",
  version: "",
  cluster: "",
  domain: "",
  account: "",
  takesHeaders: false,
};
const KIND = { idField: "lid", reader: ROUTE_READER, rhythm: "while silent", phase: GREETED } as const;
const PROTOCOL_VIOLATION = closeCause("violation", "Protocol Violation");
/** For the answer to CONNECT, as in nats-server. */
const CONNECT_TIMEOUT_MS = 2_000;
export abstract class JoiningLeaf extends Connection<LeafHost> implements Opening {
  /** null: the other server has dialled. */
  readonly remote: LeafRemote | null;
  readonly nonce: string;
  /** What the other end is: a spoke of this server, or its hub. */
  tier: "spoke" | "hub";
  /** The cluster of the peer: its interest and messages do not go to other servers of it. Never "" for a spoke. */
  leafCluster = "";
  isIsolated = false;
  peer = UNKNOWN;
  /** null: not admitted yet. */
  account: Account | null = null;
  grant: Grant | null = null;
  rules: LeafRules | null = null;
  /** How long to wait before dialling again; 0: as usual. */
  redialDelayMs = 0;
  readonly compression: Agreement;
  private timer: Disposable | null = null;
  private info: LeafInfo | null = null;

  constructor(host: LeafHost, wire: Wire, id: number, remote: LeafRemote | null) {
    super(host, wire, id, KIND);
    this.remote = remote;
    this.tier = remote === null || remote.isHub ? "spoke" : "hub";
    // As in nats-server, leaf nodes always get a nonce.
    this.nonce = remote === null ? host.newNonce() : "";
    this.compression = new Agreement(wire, () => remote?.compression ?? host.compression());
  }

  /** The account, the rules and the peer are known: creates what depends on them. */
  protected abstract entered(account: Account): void;
  /** Messages and interest cross from now on. */
  protected abstract opened(account: Account): void;

  get lid(): number {
    return this.id;
  }

  get isGone(): boolean {
    return !this.isOpen;
  }

  get user(): string {
    return this.grant?.user ?? "";
  }

  /** Greets the server that has dialled. */
  greet(): void {
    this.followTracing();
    this.log.info("Leafnode connection created");
    if (this.wire.negotiate !== undefined) return this.wire.negotiate(this);
    this.sayHello();
    this.onOpen();
  }

  sayHello(): void {
    this.say(this.host.infoLine(this, null, this.compression.offered));
    if (this.wire.negotiate !== undefined) this.outbox.flush();
  }

  /** Begins to read. */
  onOpen(): void {
    this.endAfter(this.host.limits.current.authTimeoutMs, errors.authenticationTimeout);
    this.wire.start(this);
  }

  onThrottled(): void {
    this.onPeerError(errors.throttled, "");
  }

  /** The TLS handshake failed. A port probe is not an error. */
  onFailed({ text: problem, isProbe }: { readonly text: string; readonly isProbe: boolean }): void {
    if (!this.isOpen) return;
    if (isProbe) this.log.debug(`TLS leafnode handshake error: ${problem}`);
    else this.log.error(`TLS leafnode handshake error: ${problem}`);
    this.cut(TLS_FAILED);
  }

  /** Introduces this server to the hub that it has dialled. `infoJson`: the first INFO; null: it must come within `timeoutMs`. */
  introduce(infoJson: string | null, timeoutMs: number): void {
    assertOwn(this.remote !== null, "a server introduces itself where it has dialled");
    this.followTracing();
    this.log.info(`Leafnode connection created for account: ${this.remote.account}`);
    if (infoJson === null) this.endAfter(timeoutMs, errors.staleLeaf);
    this.wire.start(this);
    if (infoJson !== null) this.asRead(() => void this.onInfo(infoJson));
  }

  // ---- handshake ----

  onConnect(json: string): boolean {
    if (this.remote !== null || this.phase !== GREETED)
      return this.onPeerError(errors.unknownOperation, "CONNECT where none is due");
    const connect = readLeafConnect(json);
    if (connect === null)
      return this.onPeerError(errors.badArguments, "CONNECT is not the JSON it should be");
    const { host, wire } = this;
    const { user, pass, authToken, nkey, sig, jwt, name, version } = connect;
    const verdict = host.authenticator.check({
      credentials: { user, pass, authToken, nkey, sig, jwt, name, version },
      nonce: this.nonce,
      address: wire.remote.address,
      isWanted: () => this.isOpen,
      connectionType: host.connectionType(this.lid),
      proxyKey: "",
      certificate: wire.security?.certificate,
      cid: this.lid,
      tls: wire.security ?? undefined,
      onDelegated: () => this.stopTimer(),
    });
    if (!(verdict instanceof Promise)) {
      const found = this.accountFor(verdict);
      if (!(found instanceof Promise)) return this.conclude(connect, verdict);
      return this.concludeLater(
        connect,
        found.then(() => verdict),
      );
    }
    return this.concludeLater(
      connect,
      verdict.then(async (late) => {
        await this.accountFor(late);
        return late;
      }),
    );
  }

  private concludeLater(
    connect: ReturnType<typeof readLeafConnect> & object,
    verdict: Promise<Verdict>,
  ): boolean {
    this.wait();
    void verdict.then((late) => this.goOn(() => this.conclude(connect, late)));
    return true;
  }

  /** The user of the block is in an account that nobody may have needed before. */
  private accountFor(verdict: Verdict): boolean | Promise<boolean> {
    return verdict.kind === "refused" || this.host.hasAccount(verdict.grant.account);
  }

  private conclude(connect: ReturnType<typeof readLeafConnect> & object, verdict: Verdict): boolean {
    const { host } = this;
    if (verdict.kind === "refused") {
      host.onRefused();
      return this.onPeerError(errors.authorizationViolation, verdict.reason);
    }
    const account = host.accounts.get(verdict.grant.account);
    if (account === undefined || host.isAccountOver(account.name))
      return this.onPeerError(errors.authorizationViolation, `no account ${verdict.grant.account}`);
    const problem = connectProblem(connect, host.facts(), host.versionMin());
    if (problem !== null) return this.onPeerError(problem, `${connect.name} ${connect.version}`);
    this.stopTimer();
    this.grant = verdict.grant;
    this.tier = connect.isHub ? "hub" : "spoke";
    this.isIsolated = host.isIsolated() || connect.isolate;
    this.peer = peerOf(connect, host.facts().takesHeaders && connect.headers);
    if (account.leafnodesBeyond >= 0)
      return this.onPeerError(errors.maxAccountConnectionsExceeded, account.name);
    const facts = host.facts();
    this.enter(account, rulesForConnect(connect, verdict.grant.permissions, facts, this.traitsOf(account)));
    const { publish = null, subscribe = null } = verdict.grant.permissions?.rules ?? {};
    const admission = { account: account.name, import: subscribe, export: publish };
    this.compression.settle(connect.compression);
    this.say(host.infoLine(this, admission, ""));
    this.begin();
    return this.isOpen;
  }

  onInfo(json: string): boolean {
    if (this.remote === null) return this.agree(readToldCompression(json));
    const info = readLeafInfo(json);
    if (typeof info === "string") return this.onPeerError(errors.badArguments, info);
    if (this.info === null) return this.hearFirst(info, this.remote);
    if (info.leafUrls.length + info.webSocketUrls.length > 0) this.host.onAddresses(this.lid, info);
    this.info = info;
    if (info.isAdmission || info.import !== null || info.export !== null) return this.hearRules(info);
    return true;
  }

  /** An accepted peer says INFO to agree on compression alone. */
  private agree(told: string | null): boolean {
    if (told === null) return this.onPeerError(errors.badArguments, "INFO is not the JSON it should be");
    if (this.phase !== GREETED) return true;
    const { compression } = this;
    const outcome = compression.hear(told, this.ageMs);
    if (outcome === "unknown") return this.onPeerError(errors.unknownCompression(told), "");
    if (outcome === "plain") return true;
    compression.begin(this.outbox.pendingBytes);
    this.say(this.host.infoLine(this, null, compression.told));
    return true;
  }

  /** The time since it began: a round trip at most. */
  private get ageMs(): number {
    return this.host.clock.nowMs() - this.startedMs;
  }

  private hearFirst(info: LeafInfo, remote: LeafRemote): boolean {
    const { host, compression } = this;
    const problem = infoProblem(info);
    if (problem !== null) return this.onPeerError(problem, "attempted to connect to wrong port");
    this.stopTimer();
    const outcome = compression.hear(info.compression, this.ageMs);
    if (outcome === "unknown") return this.onPeerError(errors.unknownCompression(info.compression), "");
    if (outcome === "packed") {
      // The hub says INFO once more, packed, which then counts as its first.
      this.say(host.infoLine(this, null, compression.told));
      compression.begin(this.outbox.pendingBytes);
      this.endAfter(CONNECT_TIMEOUT_MS, errors.staleLeaf);
      return true;
    }
    this.info = info;
    this.peer = peerOf({ ...info, account: "" }, host.facts().takesHeaders && info.headers);
    host.onAddresses(this.lid, info);
    this.say(remote.connectLine(info, compression.mode));
    this.log.debug("Remote leafnode connect msg sent");
    if (info.infoOnConnect) this.endAfter(CONNECT_TIMEOUT_MS, errors.staleLeaf);
    else return this.hearRules(info);
    return true;
  }

  /** The hub's answer to CONNECT, or later its new rules. */
  private hearRules(info: LeafInfo): boolean {
    const { remote, host } = this;
    assertOwn(remote !== null, "a server that has dialled hears of rules");
    const account = this.account ?? host.accounts.get(remote.account);
    if (account === undefined)
      return this.onPeerError(errors.authorizationViolation, `no account ${remote.account}`);
    const rules = rulesForInfo(info, remote, host.facts(), this.traitsOf(account));
    if (this.phase === OPEN) {
      this.rules = rules;
      account.interest.changedAltogether();
      return true;
    }
    this.stopTimer();
    if (account.leafnodesBeyond >= 0)
      return this.onPeerError(errors.maxAccountConnectionsExceeded, account.name);
    this.peer = { ...this.peer, account: info.account };
    this.isIsolated = remote.isIsolated;
    this.enter(account, rules);
    this.begin();
    return this.isOpen;
  }

  private traitsOf({ name, isSystem }: Account): LeafRulesOptions["account"] {
    return { isSystem, sharesJetStream: this.host.sharesJetStream(name) };
  }

  private enter(account: Account, rules: LeafRules): void {
    assertOwn(this.account === null, "a leaf connection enters one account");
    const { cluster, name, serverId } = this.peer;
    this.account = account;
    this.rules = rules;
    account.connections++;
    account.leafnodes++;
    // A spoke outside of a cluster sends the name of its server; old ones send nothing.
    const named = this.tier === "spoke" ? cluster || name || serverId || `lid-${this.lid}` : cluster;
    this.leafCluster = onOneToken(toByteString(named));
    this.entered(account);
    this.log = this.log.child({ remote: name, account: account.name });
  }

  private begin(): void {
    const { account } = this;
    assertOwn(account !== null, "an admitted leaf connection has an account");
    this.stand(OPEN);
    this.wire.admitted?.();
    this.heartbeat.estimate(this.startedMs);
    this.heartbeat.start();
    this.opened(account);
  }

  private endAfter(ms: number, error: PeerError): void {
    this.stopTimer();
    this.timer = this.host.clock.setTimer(ms, () => void this.onPeerError(error, ""));
  }

  private stopTimer(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  // ---- errors, changes, the end ----

  onPeerSaysError(said: string): boolean {
    this.log.error(`Leafnode Error '${said}'`);
    this.redialDelayMs = redialDelayAfter(said) ?? this.redialDelayMs;
    if (this.redialDelayMs === 0) return true;
    this.close(PROTOCOL_VIOLATION);
    return false;
  }

  onPeerError(error: PeerError, detail: string): boolean {
    if (error.text !== null && this.isOpen) this.say(`-ERR '${onOneLine(toByteString(error.text))}'\r\n`);
    const fields = detail === "" ? {} : { detail };
    this.log.error(error.text ?? "Leafnode sent a malformed operation", fields);
    this.close(error.closes ?? PROTOCOL_VIOLATION);
    return false;
  }

  /** Users or the limits of accounts have changed. */
  recheckGrant(): void {
    const { account, grant, host } = this;
    if (!this.isOpen || account === null) return;
    if (host.isAccountOver(account.name)) return void this.onPeerError(errors.accountExpired, account.name);
    if (account.leafnodesBeyond > 0)
      return void this.onPeerError(errors.maxAccountConnectionsExceeded, account.name);
    if (grant === null) return;
    const now = host.authenticator.currentGrant(grant, host.connectionType(this.lid));
    if (now?.account === grant.account && now.permissions === grant.permissions) return;
    // It has its rules from INFO, so it has to connect again to get new ones.
    const error = now === null ? host.authenticator.errorFor(grant) : null;
    this.onPeerError(error ?? errors.authorizationViolation, "users have changed");
  }

  /** Tells the peer of changed addresses, or that this server leaves. */
  sayInfo(): void {
    if (this.isOpen && this.remote === null) this.say(this.host.infoLine(this, null, ""));
  }

  /** The configuration has changed. */
  followCompression(): void {
    if (!this.isOpen || this.account === null) return;
    if (this.compression.mustBeginAgain(this.heartbeat.roundTripMs)) this.close(CLIENT_CLOSED);
  }

  protected override endedBy(problem: string): CloseCause {
    return problem === "" ? CLIENT_CLOSED : closeCause("ended", `Read Error (${problem})`);
  }

  protected override release({ reason }: CloseCause): void {
    const { account } = this;
    this.stopTimer();
    this.log.info(`Leafnode connection closed: ${reason} - Account: ${account?.name ?? ""}`);
    if (account === null) return;
    account.connections--;
    account.leafnodes--;
  }
}
