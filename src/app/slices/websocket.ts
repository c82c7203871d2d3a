/** The port for WebSocket, as configured, and how its clients differ from others. */
import type { AuthenticationOptions } from "../../auth/authenticator.ts";
import type { Config } from "../../config/config.ts";
import type { ClientLimits } from "../../links/client/host.ts";
import { HANDSHAKE_TIMEOUT_MS, type WebSocketSettings } from "../../ports/websocket/websocket-port.ts";
import { readOrigin } from "../../transport/websocket/request.ts";
import { clientLimits } from "./client.ts";

const KB = 1024;
const MB = 1024 * KB;
/** What a client that is not known may send in a compressed message: enough for a CONNECT with a long JWT. */
const STRANGER_MAX_BYTES = 64 * KB;
/** As nats-server bounds compressed messages. */
const MESSAGE_PAYLOADS = 8;
const MESSAGE_MAX_BYTES = 64 * MB;

export function webSocketSettings({ websocket, client }: Config): WebSocketSettings {
  const { compression, sameOrigin, allowedOrigins, headers, handshakeTimeoutMs } = websocket;
  const { maxPayloadBytes, maxControlLineBytes } = client;
  const most = Math.min(MESSAGE_PAYLOADS * maxPayloadBytes, MESSAGE_MAX_BYTES);
  return {
    compression,
    sameOrigin,
    allowedOrigins: allowedOrigins.flatMap((text) => readOrigin(text) ?? []),
    headers,
    cookies: {
      jwt: websocket.jwtCookie,
      user: websocket.userCookie,
      pass: websocket.passCookie,
      token: websocket.tokenCookie,
    },
    handshakeTimeoutMs: handshakeTimeoutMs || HANDSHAKE_TIMEOUT_MS,
    limits: {
      strangerMaxBytes: Math.max(STRANGER_MAX_BYTES, maxControlLineBytes),
      admittedMaxBytes: Math.max(most, maxPayloadBytes + maxControlLineBytes),
    },
  };
}

export function webSocketLimits(config: Config): ClientLimits {
  const { pingIntervalMs, authTimeoutMs } = config.websocket;
  const usual = clientLimits(config);
  return {
    ...usual,
    pingIntervalMs: pingIntervalMs ?? usual.pingIntervalMs,
    authTimeoutMs: authTimeoutMs ?? usual.authTimeoutMs,
  };
}

/**
 * Credentials over WebSocket: a user, token or no_auth_user of the websocket block takes the place of all three, as in nats-server.
 * Whether certificates name users is the business of its own tls block. null: there is no WebSocket.
 */
export function overWebSocket(
  { websocket }: Config,
  usual: AuthenticationOptions,
  single: (user: string, password: string) => AuthenticationOptions["users"],
): AuthenticationOptions | null {
  const { user, password, token, noAuthUser, port } = websocket;
  if (port === null) return null;
  const options = { ...usual, mapsCertificates: websocket.tls?.map ?? false };
  if (user === null && token === null && noAuthUser === null) return options;
  return {
    ...options,
    token: token ?? undefined,
    tokenNeedsProxy: false,
    users: user === null ? usual.users : single(user, password ?? ""),
    noAuthUser,
  };
}
