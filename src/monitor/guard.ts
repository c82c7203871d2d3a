/**
 * Who may ask the monitoring port, where that is restricted: a user with password (Basic), or who has the token (Bearer). Paths
 * that probes of orchestrators ask are open to all, and tell strangers of no server and no address. Comparison takes the same time
 * for every input.
 */
import { equalSecrets } from "../auth/methods/secrets.ts";

export interface MonitorSecrets {
  readonly user: string | null;
  readonly password: string | null;
  readonly token: string | null;
}

/** For whom an answer is: one that has credentials, where some are needed, or anybody. */
export type Audience = "operator" | "stranger";

const OPEN_PATHS: ReadonlySet<string> = new Set(["/livez", "/readyz", "/startupz", "/healthz"]);

export class Guard {
  challenge = "Bearer";
  private accepted: readonly string[] = [];

  constructor(secrets: MonitorSecrets) {
    this.use(secrets);
  }

  /** From now on. null in `secrets`: not accepted. With nothing set, everybody may ask. */
  use({ user, password, token }: MonitorSecrets): void {
    const basic =
      user === null ? [] : [`Basic ${Buffer.from(`${user}:${password ?? ""}`).toString("base64")}`];
    this.accepted = [...basic, ...(token === null ? [] : [`Bearer ${token}`])];
    this.challenge = user === null ? "Bearer" : 'Basic realm="monitoring", charset="UTF-8"';
  }

  /** `path` without the base path; `authorization`: the header. null: may not ask. */
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
