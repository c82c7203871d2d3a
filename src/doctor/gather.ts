/**
 * Asks all servers what the doctor has to know: the same questions, whether a client asks them or a server.
 *
 * Bounds: ACCOUNTS_PER_PAGE accounts in one answer about streams, PAGES_MAX such answers of each server.
 */
import type { ServerDocuments } from "./reading.ts";

type Json = Readonly<Record<string, unknown>>;

/** What one server answers. */
export interface Told {
  readonly id: string;
  readonly name: string;
  /** null: it has refused. */
  readonly data: Json | null;
  /** Why; "": it has not. */
  readonly error: string;
}

export interface GatherHost {
  /** The answers that come in time. `expected`: so many servers are known; null: all that are there are to be found. */
  everybody(kind: string, options: object, expected: number | null): Promise<readonly Told[]>;
}

const ACCOUNTS_PER_PAGE = 64;
const PAGES_MAX = 1000;
const DETAILS = { details: true };
const LEAVES = { details: true, "leaf-remotes-connected": true, "js-server-only": true };
const STREAMS = { accounts: true, streams: true, consumer: true, config: true, limit: ACCOUNTS_PER_PAGE };

/** Empty: no server has answered. */
export async function gather(host: GatherHost): Promise<ServerDocuments[]> {
  const found = await host.everybody("ROUTEZ", {}, null);
  if (found.length === 0) return [];
  const count = found.length;
  const [varz, healthz, leafHealthz, jsz] = await Promise.all([
    host.everybody("VARZ", {}, count),
    host.everybody("HEALTHZ", DETAILS, count),
    host.everybody("HEALTHZ", LEAVES, count),
    streamPages(host, count),
  ]);
  const shoals = varz.filter(({ data }) => isShoal(data));
  const memberz = shoals.length === 0 ? [] : await host.everybody("MEMBERZ", {}, shoals.length);
  return found.map(({ id, name, data }) => {
    const unanswered: string[] = [];
    const of = (all: readonly Told[], question: string): Json | null => {
      const told = all.find((one) => one.id === id);
      if (told === undefined || told.data === null) unanswered.push(question + problemOf(told));
      return told?.data ?? null;
    };
    const isOneOfUs = shoals.some((one) => one.id === id);
    return {
      id,
      name,
      routez: data,
      varz: of(varz, "VARZ"),
      healthz: of(healthz, "HEALTHZ"),
      leafHealthz: of(leafHealthz, "HEALTHZ about leaf connections"),
      memberz: isOneOfUs ? of(memberz, "MEMBERZ") : null,
      jsz: pagesOf(jsz, id, unanswered),
      unanswered,
    };
  });
}

/** All accounts of all servers, page by page. */
async function streamPages(host: GatherHost, count: number): Promise<Told[]> {
  const pages: Told[] = [];
  for (let page = 0; page < PAGES_MAX; page++) {
    const offset = page * ACCOUNTS_PER_PAGE;
    const told = await host.everybody("JSZ", { ...STREAMS, offset }, count);
    pages.push(...told);
    if (!told.some(({ data }) => accountsOf(data) > offset + ACCOUNTS_PER_PAGE)) break;
  }
  return pages;
}

/** That it has. */
function accountsOf(data: Json | null): number {
  const total = data?.["total"] ?? data?.["accounts"];
  return typeof total === "number" ? total : 0;
}

function pagesOf(pages: readonly Told[], id: string, unanswered: string[]): Json[] {
  const own = pages.filter((one) => one.id === id);
  const refused = own.find(({ data }) => data === null);
  if (own.length === 0 || refused !== undefined) unanswered.push(`JSZ${problemOf(refused)}`);
  return own.flatMap(({ data }) => (data === null ? [] : [data]));
}

function problemOf(told: Told | undefined): string {
  return told === undefined || told.error === "" ? " in time" : `: ${told.error}`;
}

function isShoal(varz: Json | null): boolean {
  const metadata = varz?.["metadata"];
  return typeof metadata === "object" && metadata !== null && "shoal_version" in metadata;
}
