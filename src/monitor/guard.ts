/**
 * Restricts access to the monitoring port to a user with password (Basic) or holders of the token (Bearer). Paths for the probes of
 * orchestrators are open to all, and reveal no server and no address to strangers. Comparison takes the same time for every input.
 */
import { equalSecrets } from "../base/equal-secrets.ts";

export interface MonitorSecrets {
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
}

/** The reader of an answer: an operator has presented the credentials that are needed, a stranger has not. */
export type Audience = "operator" | "stranger";

const OPEN_PATHS: ReadonlySet<string> = new Set(["/livez", "/readyz", "/startupz", "/drainz", "/healthz"]);

export class Guard {
  challenge = "Bearer";
  private accepted: readonly string[] = [];

  constructor(secrets: MonitorSecrets) {
    this.use(secrets);
  }

  /** Replaces the credentials. null: not accepted. Without any, everybody has access. */
  use({ user, password, token }: MonitorSecrets): void {
    const basic =
      user === null ? [] : [`Basic ${Buffer.from(`${user}:${password ?? ""}`).toString("base64")}`];
    this.accepted = [...basic, ...(token === null ? [] : [`Bearer ${token}`])];
    this.challenge = user === null ? "Bearer" : 'Basic realm="monitoring", charset="UTF-8"';
  }

  /** `path` without the base path; `authorization`: the header. null: access is denied. */
  audienceOf(path: string, authorization: string | undefined): Audience | null {
    if (this.accepted.length === 0 || this.isAccepted(authorization)) return "operator";
    return OPEN_PATHS.has(path) ? "stranger" : null;
  }

  private isAccepted(authorization: string | undefined): boolean {
    const given = (authorization ?? "").replace(/^(basic|bearer) +/i, (_, scheme: string) =>
      scheme.toLowerCase() === "basic" ? "Basic " : "Bearer ",
    );
    let isAdmitted = false;
    for (const one of this.accepted) if (equalSecrets(given, one)) isAdmitted = true;
    return isAdmitted;
  }
}
