/** Maps paths to endpoints and counts the requests of each (`http_req_stats` of `/varz`). */
import { accountz, accstatz } from "./accounts.ts";
import { json, text, type Answer } from "./answer.ts";
import { ClusterReport } from "./clusterz.ts";
import { connz } from "./connz.ts";
import { debugVars, stacksz } from "./debug.ts";
import { DoctorReport } from "./doctorz.ts";
import { healthz } from "./healthz.ts";
import { indexPage } from "./index-page.ts";
import { jsz } from "./jsz.ts";
import { memberz } from "./memberz.ts";
import { messagez, RequestBudget } from "./messagez.ts";
import { drainz, livez, readyz, startupz } from "./probes.ts";
import { BadQuery, type Query } from "./query.ts";
import { routez } from "./routez.ts";
import type { MonitorSource } from "./source.ts";
import { subsz } from "./subsz.ts";
import { Turns } from "./turns.ts";
import { leafz } from "./leafz.ts";
import { gatewayz, ipqueuesz, raftz } from "./unbuilt.ts";
import { ProcessUsage } from "./usage.ts";
import { varz } from "./varz.ts";

type Endpoint = (source: MonitorSource, query: Query, turns: Turns) => Answer | Promise<Answer>;

/** An endpoint that another room provides, such as `/metrics`. */
export interface FurtherEndpoint {
  readonly path: string;
  readonly answer: (turns: Turns) => Promise<Answer>;
}

/** Not in `http_req_stats`, as in nats-server. */
const UNCOUNTED: ReadonlySet<string> = new Set([
  "/raftz",
  "/ipqueuesz",
  "/stacksz",
  "/debug/vars",
  // Not in nats-server, and requested every few seconds.
  "/livez",
  "/readyz",
  "/startupz",
  "/drainz",
  "/memberz",
  "/clusterz",
  "/doctorz",
  "/messagez",
]);

/** Where an account server has the tokens of accounts, by their public keys. */
const ACCOUNT_TOKENS = "/jwt/v1/accounts/";
const TOKEN_TYPE = "application/jwt";

const ALIASES: ReadonlyMap<string, string> = new Map([["/subscriptionsz", "/subsz"]]);

export class Endpoints {
  private readonly uncounted: ReadonlySet<string>;
  private readonly requests = new Map<string, number>();
  private readonly usage: ProcessUsage;
  private readonly table: ReadonlyMap<string, Endpoint>;
  private readonly source: MonitorSource;
  readonly turns = new Turns();
  private readonly basePath: string;

  /** `page`: null if there is none. */
  constructor(source: MonitorSource, page: string | null = null, further: readonly FurtherEndpoint[] = []) {
    const { startedMs, basePath } = source.facts();
    this.source = source;
    this.basePath = basePath;
    this.uncounted = new Set([...UNCOUNTED, ...further.map(({ path }) => path)]);
    this.usage = new ProcessUsage(startedMs, () => source.nowMs());
    const report = new ClusterReport(source, () => this.varz());
    const doctor = new DoctorReport(source, (name, query) => this.ask(name, query));
    const messageRequests = new RequestBudget();
    this.table = new Map<string, Endpoint>([
      // First, so that they replace no endpoint.
      ...further.map(({ path, answer }): [string, Endpoint] => [path, (_, __, turns) => answer(turns)]),
      ["/", indexPage(basePath, page)],
      ["/varz", () => json(this.varz())],
      ["/connz", connz],
      ["/routez", routez],
      ["/subsz", subsz],
      ["/accountz", accountz],
      ["/accstatz", accstatz],
      ["/healthz", healthz],
      ["/livez", livez],
      ["/readyz", readyz],
      ["/startupz", startupz],
      ["/drainz", drainz],
      ["/memberz", () => memberz(source, this.varz())],
      ["/clusterz", (_, query) => report.answer(query)],
      ["/doctorz", () => doctor.answer()],
      ["/messagez", (_, query, turns) => messagez(source, query, turns, messageRequests)],
      ["/gatewayz", gatewayz],
      ["/leafz", leafz],
      ["/jsz", jsz],
      ["/raftz", raftz],
      ["/ipqueuesz", ipqueuesz],
      ["/stacksz", stacksz],
      ["/debug/vars", debugVars],
    ]);
  }

  /** What `/varz` answers. */
  varz(): object {
    return varz(this.source, this.usage, this.requests);
  }

  /** `path` as in the request, `query` without its `?`. */
  async answer(path: string, query: Query): Promise<Answer> {
    const relative = this.withoutBase(path);
    const name = ALIASES.get(relative) ?? relative;
    if (name.startsWith(ACCOUNT_TOKENS)) return this.token(name.slice(ACCOUNT_TOKENS.length));
    const endpoint = this.table.get(name);
    if (endpoint === undefined) return text(404, "404 page not found\n");
    if (!this.uncounted.has(name)) this.requests.set(name, (this.requests.get(name) ?? 0) + 1);
    try {
      return await endpoint(this.source, query, this.turns);
    } catch (error) {
      if (error instanceof BadQuery) return text(400, error.message);
      throw error;
    }
  }

  /** Answers the server's own requests, by the name of the endpoint; not counted. Throws BadQuery. */
  async ask(name: string, query: Query): Promise<Answer> {
    const endpoint = this.table.get(name);
    if (endpoint === undefined) throw new Error(`bug: no endpoint ${name}`);
    return endpoint(this.source, query, this.turns);
  }

  /** As an account server answers servers that ask by URL. They ask for no account at their start, to see that it is there. */
  private token(account: string): Answer {
    const { tokens } = this.source;
    if (tokens === null) return text(404, "404 page not found\n");
    if (account === "") return text(200, "Append the public key of an account to read its token\n");
    const token = tokens.kept(account);
    return token === null
      ? text(404, "No token of this account is kept here\n")
      : { status: 200, contentType: TOKEN_TYPE, body: [token] };
  }

  /** "": not ours. */
  withoutBase(path: string): string {
    const { basePath } = this;
    if (basePath === "/") return path;
    if (path === basePath) return "/";
    return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : "";
  }
}
