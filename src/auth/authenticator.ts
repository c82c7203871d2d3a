/**
 * Who may connect, and as whom: nobody needs credentials, or a token, or one of the known users. Comparison takes the same
 * time for every input. An answer may take its time (`Verdict` or a promise of one, which is never rejected).
 *
 * Users of `authorization` and of accounts are in one table. `reconfigure` replaces it; who is connected is looked up again
 * with `currentGrant`.
 */
import { createHash, randomBytes, timingSafeEqual, type X509Certificate } from "node:crypto";
import { mappedUser } from "./certificate.ts";
import { GLOBAL_ACCOUNT } from "../core/account.ts";
import { Permissions, type UserPermissions } from "../core/permissions.ts";

/** How a client is connected, in the words of `allowed_connection_types`. */
export type ConnectionType =
  "STANDARD" | "WEBSOCKET" | "LEAFNODE" | "LEAFNODE_WS" | "MQTT" | "MQTT_WS" | "IN_PROCESS";

/** What a client presents at CONNECT; "" where it presents nothing. */
export interface Credentials {
  readonly user: string;
  readonly pass: string;
  readonly authToken: string;
  readonly nkey: string;
  readonly sig: string;
}

/** Credentials, and what the server knows of their sender. */
export interface Attempt {
  readonly credentials: Credentials;
  /** What was given to be signed; "": nothing. */
  readonly nonce: string;
  readonly address: string;
  readonly connectionType: ConnectionType;
  /** Of the client, verified; undefined: it has shown none. */
  readonly certificate?: X509Certificate | undefined;
}

export interface KnownUser {
  /** A name, or the public nkey. */
  readonly name: string;
  /** Plain or a bcrypt hash; null: has an nkey instead. */
  readonly password: string | null;
  readonly account: string;
  /** null: everything. */
  readonly permissions: UserPermissions | null;
  /** Empty: all. */
  readonly connectionTypes: readonly ConnectionType[];
}

export interface AuthenticationOptions {
  readonly token?: string | undefined;
  readonly users: readonly KnownUser[];
  /** Whom a client without credentials is taken for; null: nobody. */
  readonly noAuthUser: string | null;
  /** Users are found by the client's certificate, and in no other way but by nkey. */
  readonly mapsCertificates?: boolean;
}

/** As whom a client is admitted. */
export interface Grant {
  /** How logs and monitoring name the client; "" where there are no users. */
  readonly user: string;
  readonly account: string;
  /** Shared by all connections of the user; null: everything. */
  readonly permissions: Permissions | null;
  /** The connection ends after this time; null: it does not. */
  readonly expiresInMs: number | null;
}

export type Verdict =
  | { readonly kind: "admitted"; readonly grant: Grant }
  /** `reason` is for the log. */
  | { readonly kind: "refused"; readonly reason: string };

interface Known extends KnownUser {
  readonly grant: Grant;
}

const EVERYBODY: Grant = { user: "", account: GLOBAL_ACCOUNT, permissions: null, expiresInMs: null };
const TOKEN_HOLDER: Grant = { ...EVERYBODY, user: "[REDACTED]" };
/** As nats-server has it: 15 characters. */
const NONCE_BYTES = 11;

export class Authenticator {
  private options: AuthenticationOptions;
  private users: ReadonlyMap<string, Known>;
  private hasNkeys = false;

  constructor(options: AuthenticationOptions) {
    this.options = options;
    this.users = this.tableOf(options);
  }

  /** From now on; who is connected is not touched. */
  reconfigure(options: AuthenticationOptions): void {
    this.users = this.tableOf(options);
    this.options = options;
  }

  /** What holds now for a connection that was admitted with `grant`; null: it would not be admitted any more. */
  currentGrant(grant: Grant): Grant | null {
    if (!this.hasSecrets) return EVERYBODY;
    if (this.options.token !== undefined) return grant.user === TOKEN_HOLDER.user ? TOKEN_HOLDER : null;
    return this.users.get(grant.user)?.grant ?? null;
  }

  /** Clients have to present something, sooner or later. */
  get hasSecrets(): boolean {
    return this.options.token !== undefined || this.users.size > 0;
  }

  /** INFO says so. */
  get isRequired(): boolean {
    return this.options.noAuthUser === null && this.hasSecrets;
  }

  /** For one client to sign; "" where nobody signs. */
  newNonce(): string {
    return this.hasNkeys ? randomBytes(NONCE_BYTES).toString("base64url") : "";
  }

  check(attempt: Attempt): Verdict | Promise<Verdict> {
    if (!this.hasSecrets) return admitted(EVERYBODY);
    const { token, noAuthUser, mapsCertificates } = this.options;
    const { credentials } = attempt;
    if (token !== undefined) {
      return equalSecrets(credentials.authToken, token)
        ? admitted(TOKEN_HOLDER)
        : refused(describe(credentials));
    }
    if (mapsCertificates === true && credentials.nkey === "") return this.checkCertificate(attempt);
    if (noAuthUser !== null && isBlank(credentials)) {
      const user = this.users.get(noAuthUser);
      return user === undefined ? refused("no_auth_user is unknown") : admitted(user.grant);
    }
    const known = this.users.get(credentials.user);
    const isRight = equalSecrets(credentials.pass, known?.password ?? "");
    return known !== undefined && isRight ? admitted(known.grant) : refused(describe(credentials));
  }

  private checkCertificate({ certificate }: Attempt): Verdict {
    if (certificate === undefined) return refused("no certificate");
    const find = (name: string): Known | undefined => this.users.get(name);
    const known = mappedUser(certificate, find, () => this.users.keys());
    return known === undefined ? refused(`Certificate ${certificate.subject}`) : admitted(known.grant);
  }

  private tableOf({ users }: AuthenticationOptions): ReadonlyMap<string, Known> {
    this.hasNkeys = users.some((user) => user.password === null);
    return new Map(
      users.map((user) => {
        const permissions = user.permissions === null ? null : new Permissions(user.permissions);
        const grant = { user: user.name, account: user.account, permissions, expiresInMs: null };
        return [user.name, { ...user, grant }];
      }),
    );
  }
}

function isBlank({ user, pass, authToken, nkey }: Credentials): boolean {
  return user === "" && pass === "" && authToken === "" && nkey === "";
}

function admitted(grant: Grant): Verdict {
  return { kind: "admitted", grant };
}

function refused(reason: string): Verdict {
  return { kind: "refused", reason };
}

/** Without secrets. */
function describe({ user, nkey, authToken }: Credentials): string {
  if (nkey !== "") return `Nkey ${JSON.stringify(nkey)}`;
  if (user !== "") return `User ${JSON.stringify(user)}`;
  return authToken === "" ? "no credentials" : 'Token "[REDACTED]"';
}

/** Through a digest, since lengths differ. */
export function equalSecrets(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(value: string): Buffer {
  return createHash("sha256").update(value).digest();
}
