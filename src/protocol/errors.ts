/**
 * What a peer can do wrong: one catalogue of wire texts, and whether the connection survives. Texts are those of
 * nats-server 2.14 and 2.15; where it closes without a word, `text` is null.
 */
import {
  CLIENT_CLOSED,
  closeCause,
  STALE,
  STATUS_INTERNAL,
  STATUS_POLICY,
  STATUS_TOO_BIG,
  type CloseCause,
} from "./close-cause.ts";
import { quoted } from "./quote.ts";

export interface PeerError {
  /** What stands between the quotes of `-ERR '…'`; null: nothing is sent. */
  readonly text: string | null;
  /** Why the connection is closed; null: it survives. */
  readonly closes: CloseCause | null;
}

function closing(text: string | null, reason: string, webSocketStatus?: number): PeerError {
  const status = webSocketStatus === undefined ? {} : { webSocketStatus };
  return { text, closes: closeCause("violation", reason, status) };
}

function refusing(text: string, reason: string, webSocketStatus = STATUS_POLICY): PeerError {
  return { text, closes: closeCause("refused", reason, { webSocketStatus }) };
}

function surviving(text: string): PeerError {
  return { text, closes: null };
}

export const unknownOperation = closing("Unknown Protocol Operation", "Protocol Violation");
/** Arguments that make no sense: nats-server closes without saying why. */
export const badArguments = closing(null, "Protocol Violation");
export const peerSentError: PeerError = { text: null, closes: CLIENT_CLOSED };
export const maxPayloadViolation = closing(
  "Maximum Payload Violation",
  "Maximum Message Payload Exceeded",
  STATUS_TOO_BIG,
);
export const maxControlLineExceeded = closing(
  "maximum control line exceeded",
  "Maximum Control Line Exceeded",
  STATUS_POLICY,
);
export const maxConnectionsExceeded = closing(
  "maximum connections exceeded",
  "Maximum Connections Exceeded",
  STATUS_POLICY,
);
export const throttled = closing(
  "Connection throttling is active. Please try again later.",
  "Maximum Connections Exceeded",
  STATUS_POLICY,
);
export const maxAccountConnectionsExceeded = closing(
  "maximum account active connections exceeded",
  "Maximum Account Connections Exceeded",
  STATUS_POLICY,
);
export const authorizationViolation = refusing("Authorization Violation", "Authentication Failure");
/** Clients are told no more than others who are refused. */
export const proxyNotTrusted = refusing("Authorization Violation", "Proxy Not Trusted", STATUS_INTERNAL);
export const proxyRequired = refusing("Authorization Violation", "Proxy Required", STATUS_INTERNAL);
export const authenticationTimeout = closing(
  "Authentication Timeout",
  "Authentication Timeout",
  STATUS_POLICY,
);
export const authenticationExpired = closing(
  "User Authentication Expired",
  "Authentication Expired",
  STATUS_POLICY,
);
export const accountExpired = closing(
  "Account Authentication Expired",
  "Authentication Expired",
  STATUS_POLICY,
);
export const userRevoked = closing("User Authentication Revoked", "Credentials Revoked", STATUS_POLICY);
/** The key that signed the user is gone, or signs other users now. */
export const signingKeyGone = closing(null, "Authentication Failure", STATUS_POLICY);
export const staleConnection: PeerError = { text: "Stale Connection", closes: STALE };
export const invalidClientProtocol = closing("invalid client protocol", "Bad Client Protocol Version");
export const noRespondersRequiresHeaders = closing(
  "no responders requires headers support",
  "No Responders Requires Headers",
  STATUS_INTERNAL,
);

// Between leaf nodes and their hubs.
export const clientOnLeafPort = closing("attempted to connect to leaf node port", "Incorrect Port");
export const notALeafPort = closing(null, "Incorrect Port");
export const sameClusterName = closing("remote leafnode has same cluster name", "Cluster Names Identical");
export const clusterNameHasSpaces = closing("cluster name cannot contain spaces", "Protocol Violation");
export const clusterNameReserved = closing("cluster name is reserved", "Protocol Violation");
export const duplicateLeaf = closing(
  "Duplicate Remote LeafNode Connection",
  "Duplicate Remote LeafNode Connection",
);
/** The words are those of routes for leaf nodes, too. */
export function unknownCompression(mode: string): PeerError {
  return closing(`unsupported route compression mode ${quoted(mode)}`, "Protocol Violation");
}
export const staleLeaf = closing("Stale Leaf Node Connection - Closing", "Stale Connection");

/** `delayMs`: before the server that dialled tries again. */
export function leafLoop(account: string, delayMs: number): PeerError {
  const delaying = `Delaying attempt to reconnect for ${delayMs / 1000}s`;
  return closing(`Loop detected for leafnode account=${quoted(account)}. ${delaying}`, "Protocol Violation");
}

export function leafVersionTooOld(least: string): PeerError {
  const text = `connection rejected since minimum version required is ${quoted(least)}`;
  return closing(text, "Minimum Version Required");
}

export function gatewayOnLeafPort(gateway: string): PeerError {
  return closing(
    `Rejecting connection from gateway ${quoted(gateway)} on the leafnode port`,
    "Wrong Gateway",
  );
}

/** A leaf node is closed for what a client would only be told of. */
export function leafViolation(action: "Publish" | "Subscription", subject: string): PeerError {
  return closing(`Permissions Violation for ${action} to ${quoted(subject)}`, "Protocol Violation");
}

export const invalidSubject = surviving("Invalid Subject");
export const invalidPublishSubject = surviving("Invalid Publish Subject");
export const maxSubscriptionsExceeded = surviving("maximum subscriptions exceeded");

export function publishViolation(subject: string): PeerError {
  return surviving(`Permissions Violation for Publish to ${quoted(subject)}`);
}

export function replyViolation(reply: string): PeerError {
  return surviving(`Permissions Violation for Publish with Reply of ${quoted(reply)}`);
}

export function subscriptionViolation(subject: string, queue: string | null): PeerError {
  const using = queue === null ? "" : ` using queue ${quoted(queue)}`;
  return surviving(`Permissions Violation for Subscription to ${quoted(subject)}${using}`);
}

/** To a subscription that was allowed when it began. */
export function subscriptionRevoked(subject: string, queue: string | null, sid: string): PeerError {
  const { text } = subscriptionViolation(subject, queue);
  return surviving(`${text} (sid ${quoted(sid)})`);
}

export function tooManyTokens(subject: string): PeerError {
  return surviving(`Permissions Violation for Subscription to ${quoted(subject)}, too many tokens`);
}
