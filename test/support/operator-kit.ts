/**
 * Makes operators, accounts and users for tests: tokens signed by keys that are made for the test, right or wrong on purpose. Nothing
 * here is shared with the server's own reading of tokens.
 */
import { createHash } from "node:crypto";
import { newNkey, type SigningNkey } from "../../src/keys/nkey.ts";
import { RawConnection } from "./raw-connection.ts";

type Fields = Readonly<Record<string, unknown>>;

export const HOUR_S = 3600;

export interface Forgery {
  readonly header?: Fields | string;
  /** The text that is signed, where it differs from what the header says. */
  readonly signs?: "body" | "both";
  /** The signature; absent: the right one. */
  readonly signature?: (right: string) => string;
  /** The body as it stands; absent: the JSON of the claims. */
  readonly body?: (right: string) => string;
}

const HEADER = { typ: "JWT", alg: "ed25519-nkey" };
/** What an account may take. */
export const UNLIMITED = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  wildcards: true,
  conn: -1,
  leaf: -1,
};
const FREE = { subs: -1, data: -1, payload: -1 };

function encoded(value: Fields | string): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

/** `undefined` among the claims leaves a field out. */
function forge(claims: Fields, signer: SigningNkey, forgery: Forgery = {}): string {
  const { header = HEADER, signs = "both", signature = (right) => right, body = (right) => right } = forgery;
  const full = {
    iat: Math.floor(Date.now() / 1000),
    iss: signer.publicKey,
    ...claims,
  };
  const jti = createHash("sha256").update(JSON.stringify(full)).digest("hex");
  const text = body(JSON.stringify({ jti, ...full }));
  const [head, tail] = [encoded(header), encoded(text)];
  return `${head}.${tail}.${signature(signer.sign(signs === "both" ? `${head}.${tail}` : tail))}`;
}

export function accountToken(
  account: SigningNkey,
  signer: SigningNkey,
  { nats = {}, forgery = {}, ...claims }: { nats?: Fields; forgery?: Forgery } & Fields = {},
): string {
  const own = { limits: UNLIMITED, type: "account", version: 2, ...nats };
  return forge({ sub: account.publicKey, ...claims, nats: own }, signer, forgery);
}

export function userToken(
  user: Pick<SigningNkey, "publicKey">,
  signer: SigningNkey,
  { nats = {}, forgery = {}, ...claims }: { nats?: Fields; forgery?: Forgery } & Fields = {},
): string {
  const own = { ...FREE, type: "user", version: 2, ...nats };
  return forge({ sub: user.publicKey, ...claims, nats: own }, signer, forgery);
}

/** A user of a scoped signing key: without any terms of its own. */
export function scopedToken(
  user: Pick<SigningNkey, "publicKey">,
  key: SigningNkey,
  account: SigningNkey,
  more: Fields = {},
): string {
  const { nats = {}, ...claims } = more;
  const own = {
    issuer_account: account.publicKey,
    type: "user",
    version: 2,
    ...(nats as Fields),
  };
  return forge({ sub: user.publicKey, ...claims, nats: own }, key);
}

export function activationToken(
  importer: SigningNkey,
  signer: SigningNkey,
  { nats = {}, ...claims }: { nats?: Fields } & Fields,
): string {
  const own = { type: "activation", version: 2, ...nats };
  return forge({ sub: importer.publicKey, ...claims, nats: own }, signer);
}

/** What a callout service answers to `request`, right but for what `more` changes. */
export function calloutResponse(
  request: { readonly user_nkey: string; readonly server_id: { readonly id: string } },
  signer: SigningNkey,
  { nats = {}, ...claims }: { nats?: Fields } & Fields,
): string {
  const own = { type: "authorization_response", version: 2, ...nats };
  return forge({ sub: request.user_nkey, aud: request.server_id.id, ...claims, nats: own }, signer);
}

export class OperatorKit {
  readonly operator = newNkey("operator");
  readonly system = newNkey("account");
  readonly jwt: string;

  constructor(nats: Fields = {}) {
    const own = {
      system_account: this.system.publicKey,
      type: "operator",
      version: 2,
      ...nats,
    };
    this.jwt = forge({ sub: this.operator.publicKey, name: "O", nats: own }, this.operator);
  }

  /** The system account is among the preloaded ones. `more`: the lines behind. */
  memoryConfig(accounts: ReadonlyMap<SigningNkey, string>, more = ""): string {
    const all = new Map([[this.system, accountToken(this.system, this.operator)], ...accounts]);
    const preload = [...all].map(([{ publicKey }, jwt]) => `  ${publicKey}: ${jwt}`);
    return [`operator: ${this.jwt}`, "resolver: MEMORY", "resolver_preload {", ...preload, "}", more].join(
      "\n",
    );
  }

  /** A resolver with a directory. `more`: further lines of its block. */
  directoryConfig(folder: string, type: "full" | "cache", more = "", lines = ""): string {
    const preload = `${this.system.publicKey}: ${accountToken(this.system, this.operator)}`;
    return [
      `operator: ${this.jwt}`,
      `resolver { type: ${type}, dir: ${JSON.stringify(folder)}\n${more} }`,
      `resolver_preload { ${preload} }`,
      lines,
    ].join("\n");
  }
}

export const newAccount = (): SigningNkey => newNkey("account");
export const newOperator = (): SigningNkey => newNkey("operator");
export const newServer = (): SigningNkey => newNkey("server");
export const newUser = (): SigningNkey => newNkey("user");

/** Connects with a token and the signature of the nonce by `user`; null: without a signature. */
export async function connectWith(
  port: number,
  jwt: string,
  user: SigningNkey | null,
  more: Fields = {},
): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  await connection.has("}");
  await connection.has("\r\n");
  const nonce = /"nonce":"([^"]*)"/.exec(connection.text)?.[1] ?? "";
  const sig = user === null ? {} : { sig: user.sign(nonce) };
  const connect = {
    verbose: false,
    pedantic: false,
    headers: true,
    no_responders: true,
    protocol: 1,
    jwt,
    ...sig,
    ...more,
  };
  connection.send(`CONNECT ${JSON.stringify(connect)}\r\nPING\r\n`);
  return connection;
}

/** "in", or what the server said before it closed the connection. */
export async function outcomeOf(connection: RawConnection): Promise<string> {
  await connection.until("an answer", () => connection.text.includes("PONG\r\n") || connection.isClosed);
  const outcome = connection.text.includes("PONG\r\n") ? "in" : connection.errors.join("; ") || "closed";
  connection.destroy();
  return outcome;
}

/** A request to delete accounts, as `nsc` makes it. */
export function deleteRequest(signer: SigningNkey, accounts: readonly string[]): string {
  return forge({ sub: signer.publicKey, nats: { accounts, type: "generic", version: 2 } }, signer);
}

/** A user of an account, who asks. */
export class Requests {
  protected readonly connection: RawConnection;
  private count = 0;

  protected constructor(connection: RawConnection) {
    this.connection = connection;
  }

  static async connect(port: number, account: SigningNkey): Promise<Requests> {
    return new Requests(await asking(port, account));
  }

  static async connectAs(port: number, jwt: string, user: SigningNkey): Promise<Requests> {
    return new Requests(await askingAs(port, jwt, user));
  }

  /** The payload of the first answer. */
  async ask(subject: string, payload = ""): Promise<string> {
    const { connection } = this;
    const reply = `_INBOX.${++this.count}`;
    connection.send(`PUB ${subject} ${reply} ${Buffer.byteLength(payload)}\r\n${payload}\r\n`);
    const found = (): RegExpExecArray | null =>
      new RegExp(`MSG ${reply.replace(".", "\\.")} 1 +(\\d+)\\r\\n`).exec(connection.text);
    const whole = (): boolean => {
      const head = found();
      return head !== null && connection.text.length >= head.index + head[0].length + Number(head[1]) + 2;
    };
    await connection.until(`an answer to ${subject}`, whole);
    const head = found()!;
    const from = head.index + head[0].length;
    return connection.text.slice(from, from + Number(head[1]));
  }

  close(): void {
    this.connection.destroy();
  }
}

async function asking(port: number, account: SigningNkey): Promise<RawConnection> {
  const user = newUser();
  return askingAs(port, userToken(user, account), user);
}

async function askingAs(port: number, jwt: string, user: SigningNkey): Promise<RawConnection> {
  const connection = await connectWith(port, jwt, user);
  await connection.has("PONG\r\n");
  connection.send("SUB _INBOX.> 1\r\n");
  return connection;
}

/** The same for a user of the system account. */
export class SystemRequests extends Requests {
  static async connectTo(port: number, { system }: Pick<OperatorKit, "system">): Promise<SystemRequests> {
    return new SystemRequests(await asking(port, system));
  }

  /** What the answer says: `data` or `error`. */
  async update(jwt: string): Promise<unknown> {
    return dataOf(await this.ask("$SYS.REQ.CLAIMS.UPDATE", jwt));
  }

  async delete(request: string): Promise<unknown> {
    return dataOf(await this.ask("$SYS.REQ.CLAIMS.DELETE", request));
  }
}

function dataOf(answer: string): unknown {
  const { data, error } = JSON.parse(answer) as {
    data?: unknown;
    error?: unknown;
  };
  return data ?? error;
}
