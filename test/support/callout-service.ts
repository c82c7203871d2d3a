/** A service that decides who may connect, made with the official client and nkeys: it answers each request as a test wants. */
import { connect, type Authenticator, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { createAccount, fromPublic, type KeyPair } from "@nats-io/nkeys";

/** Claims of a request as they came. */
export interface CalloutRequest {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly exp: number;
  readonly nats: {
    readonly server_id: Readonly<Record<string, unknown>> & { readonly id: string; readonly xkey?: string };
    readonly user_nkey: string;
    readonly client_info: Readonly<Record<string, unknown>>;
    readonly connect_opts: Readonly<Record<string, unknown>> & { readonly user?: string };
    readonly client_tls?: Readonly<Record<string, unknown>>;
    readonly type: string;
    readonly version: number;
  };
}

/** What the service answers: bytes as they are, or null for nothing. */
export type Decide = (request: CalloutRequest) => string | Uint8Array | null;

export interface CalloutServiceOptions {
  readonly servers: string;
  readonly user?: string;
  readonly pass?: string;
  /** In place of user and password. */
  readonly authenticator?: Authenticator;
  /** Opens requests and seals answers. */
  readonly curve?: KeyPair | undefined;
  readonly decide: Decide;
}

export class CalloutService implements AsyncDisposable {
  readonly requests: CalloutRequest[] = [];
  /** As they came: the payload, and what was in the header. */
  readonly raw: { readonly text: string; readonly serverKey: string }[] = [];
  readonly connection: NatsConnection;
  private readonly options: CalloutServiceOptions;

  private constructor(connection: NatsConnection, options: CalloutServiceOptions) {
    this.connection = connection;
    this.options = options;
  }

  static async start(options: CalloutServiceOptions): Promise<CalloutService> {
    const { servers, user = "auth", pass = "auth", authenticator } = options;
    const credentials = authenticator === undefined ? { user, pass } : { authenticator };
    const connection = await connect({
      ...{ servers, reconnect: false, ignoreClusterUpdates: true },
      ...credentials,
    });
    const service = new CalloutService(connection, options);
    connection.subscribe("$SYS.REQ.USER.AUTH", { callback: (_, message) => service.answer(message) });
    await connection.flush();
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.close();
  }

  private answer(message: Msg): void {
    const { curve, decide } = this.options;
    const serverKey = message.headers?.get("Nats-Server-Xkey") ?? "";
    this.raw.push({ text: message.string(), serverKey });
    const opened = curve === undefined ? message.data : curve.open(message.data, serverKey)!;
    const request = claimsOf(Buffer.from(opened).toString()) as CalloutRequest;
    this.requests.push(request);
    const answer = decide(request);
    if (answer === null) return;
    const bytes = typeof answer === "string" ? Buffer.from(answer) : answer;
    message.respond(curve === undefined ? bytes : curve.seal(bytes, serverKey));
  }
}

/** Throws where the signature is not the issuer's. */
export function claimsOf(token: string): unknown {
  const [header, body, signature] = token.split(".");
  const claims = JSON.parse(Buffer.from(body!, "base64url").toString()) as { iss: string };
  const isSigned = fromPublic(claims.iss).verify(
    Buffer.from(`${header}.${body}`),
    Buffer.from(signature!, "base64url"),
  );
  if (!isSigned) throw new Error("not signed by its issuer");
  return claims;
}

const HEADER = Buffer.from('{"typ":"JWT","alg":"ed25519-nkey"}').toString("base64url");

export function signed(key: KeyPair, claims: object): string {
  const body = { iat: Math.floor(Date.now() / 1000), jti: "x", iss: key.getPublicKey(), ...claims };
  const text = `${HEADER}.${Buffer.from(JSON.stringify(body)).toString("base64url")}`;
  return `${text}.${Buffer.from(key.sign(Buffer.from(text))).toString("base64url")}`;
}

/** What a test changes of an answer that is good. */
export interface AnswerChange {
  readonly user?: object;
  /** `nats` of the user. */
  readonly grants?: object;
  readonly response?: object;
  readonly error?: string;
  readonly userKey?: KeyPair;
  readonly responseKey?: KeyPair;
}

/** An answer to `request`, good but for what is changed. */
export function answerTo(request: CalloutRequest, key: KeyPair, change: AnswerChange = {}): string {
  const { user_nkey: sub, server_id: server } = request.nats;
  const grants = { subs: -1, data: -1, payload: -1, ...change.grants, type: "user", version: 2 };
  const user = { sub, aud: "APP", nats: grants, ...change.user };
  const { error, userKey = key, responseKey = key } = change;
  const nats = {
    ...(error === undefined ? { jwt: signed(userKey, user) } : { error }),
    type: "authorization_response",
    version: 2,
  };
  return signed(responseKey, { sub, aud: server.id, nats, ...change.response });
}

/** A key that no server expects. */
export const strangersKey = createAccount();
