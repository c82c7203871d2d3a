/** CONNECT of a client: is it well-formed, is the client admitted, is what it wants offered. Decides; the session acts. */
import type { Attempt } from "../../auth/attempt.ts";
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Grant, Verdict } from "../../auth/grant.ts";
import { readHello, type ClientHello } from "../../protocol/connect.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Arrival, Presented } from "./arrival.ts";
import type { Client } from "./client.ts";

export type Ruling =
  | {
      readonly kind: "admitted";
      readonly hello: ClientHello;
      readonly grant: Grant;
      readonly proxyKey: string;
      /** It has not said CONNECT. */
      readonly isUnnamed: boolean;
    }
  | {
      readonly kind: "refused";
      readonly error: PeerError;
      readonly detail: string;
      /** Absent: it has not been looked at. */
      readonly proxyKey?: string;
      /** What it said of itself, where that could be read. */
      readonly hello?: ClientHello;
    };

type Sender = Omit<Attempt, "credentials" | "proxyKey">;

/** The facts about a client that the server knows without its CONNECT. */
export function senderOf(session: Client): Sender {
  const { remote, security } = session.wire;
  return {
    nonce: session.nonce,
    address: remote.address,
    isWanted: () => session.isOpen,
    connectionType: session.arrival.entrance.connectionType,
    clientType: session.arrival.entrance.clientType,
    certificate: security?.certificate,
    cid: session.cid,
    tls: security ?? undefined,
    onDelegated: () => session.stopAuthTimer(),
  };
}

interface Connect {
  /** What an earlier CONNECT said, or nothing yet. */
  readonly before: ClientHello;
  /** As whom an earlier CONNECT was admitted, which a later one without credentials keeps; null: this is the first. */
  readonly admittedAs: Grant | null;
  readonly json: string;
  readonly sender: Sender;
  /** The server takes no headers, whatever the client can do. */
  readonly noHeaders: boolean;
  readonly arrival: Arrival;
}

/** A promise where the answer takes its time; it is not rejected. */
export function admit(authenticator: Authenticator, connect: Connect): Ruling | Promise<Ruling> {
  const { before, admittedAs, json, sender, noHeaders, arrival } = connect;
  const hello = readHello(before, json);
  if (hello !== null && noHeaders) hello.headers = false;
  if (hello === null) return refused(errors.badArguments, "CONNECT is not the JSON it should be");
  if (arrival.presented !== undefined) present(hello, arrival.presented);
  // Asking for an account is an error in nats-server, too.
  if (hello.account !== "" || hello.newAccount)
    return refused(errors.authorizationViolation, "account asked for");
  const proxyKey = authenticator.proxies.signerOf(hello.proxySig, sender.nonce);
  if (proxyKey === null) return refused(errors.proxyNotTrusted, "proxy is not trusted");
  const keeps =
    admittedAs !== null &&
    hello.user === "" &&
    hello.authToken === "" &&
    hello.nkey === "" &&
    hello.jwt === "";
  const decide = (verdict: Verdict): Ruling => ({
    ...conclude(hello, verdict, proxyKey),
    proxyKey,
  });
  if (keeps) return decide({ kind: "admitted", grant: admittedAs });
  const verdict = authenticator.check({ ...sender, proxyKey, credentials: hello });
  return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
}

/** A client that begins with something else than CONNECT: is there a user for whom it may be taken. */
export function admitUnnamed(
  authenticator: Authenticator,
  hello: ClientHello,
  sender: Sender,
): Ruling | Promise<Ruling> {
  const decide = (verdict: Verdict): Ruling =>
    verdict.kind === "refused"
      ? refused(errors.authorizationViolation, verdict.reason)
      : { kind: "admitted", hello, grant: verdict.grant, proxyKey: "", isUnnamed: true };
  const verdict = authenticator.checkUnnamed({ ...sender, proxyKey: "", credentials: hello });
  return verdict instanceof Promise ? verdict.then(decide) : decide(verdict);
}

/** As in nats-server, each credential that CONNECT lacks is that of a cookie. */
function present(hello: ClientHello, { jwt, user, pass, authToken }: Presented): void {
  hello.jwt ||= jwt;
  hello.user ||= user;
  hello.pass ||= pass;
  hello.authToken ||= authToken;
}

/** How the log names it from here on. */
export function describeClient({ name, lang, version }: ClientHello, user: string): Record<string, string> {
  const client = [version === "" ? "" : `v${version}`, lang, name].filter((part) => part !== "").join(":");
  return { client, ...(user === "" ? {} : { user }) };
}

function conclude(hello: ClientHello, verdict: Verdict, proxyKey: string): Ruling {
  if (verdict.kind === "refused") {
    const said = { ...withoutSecrets(hello), user: hello.user };
    return { ...refused(refusalOf(verdict), verdict.reason), hello: said };
  }
  if (hello.protocol < 0 || hello.protocol > 1) {
    return refused(errors.invalidClientProtocol, `protocol ${hello.protocol}`);
  }
  if (hello.noResponders && !hello.headers) return refused(errors.noRespondersRequiresHeaders, "");
  return { kind: "admitted", hello: withoutSecrets(hello), grant: verdict.grant, proxyKey, isUnnamed: false };
}

function refusalOf({ lacksProxy }: Verdict & { kind: "refused" }): PeerError {
  return lacksProxy === true ? errors.proxyRequired : errors.authorizationViolation;
}

/** What no longer holds for a client that was admitted, now that proxies or users have changed; null: nothing. */
export function proxyProblem(
  authenticator: Authenticator,
  { proxyKey, grant }: Pick<Client, "proxyKey" | "grant">,
): PeerError | null {
  if (proxyKey !== "") return authenticator.proxies.has(proxyKey) ? null : errors.proxyNotTrusted;
  return grant !== null && authenticator.needsProxy(grant) ? errors.proxyRequired : null;
}

function refused(error: PeerError, detail: string): Extract<Ruling, { kind: "refused" }> {
  return { kind: "refused", error, detail };
}

/** Credentials are not kept longer than they are needed. A proxy's signature counts for a later CONNECT, too. */
function withoutSecrets(hello: ClientHello): ClientHello {
  return { ...hello, user: "", pass: "", authToken: "", jwt: "", nkey: "", sig: "" };
}
