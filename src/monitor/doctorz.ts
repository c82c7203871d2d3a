/**
 * `/doctorz`: what is unhealthy or idle in the cluster as this server sees it, why, and what to do about it. Other servers are asked
 * through the system account, shoals and nats-servers alike; all requests within `FRESH_MS` get the same answer.
 */
import { diagnose } from "../doctor/diagnose.ts";
import type { Diagnosis } from "../doctor/findings.ts";
import { gather, type GatherHost, type Told } from "../doctor/gather.ts";
import { readServer } from "../doctor/reading.ts";
import { compactJson, type Answer } from "./answer.ts";
import { Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";

const FRESH_MS = 2000;

/** The endpoints of this server, by their paths. */
type AskSelf = (path: string, query: Query) => Promise<Answer>;

export class DoctorReport {
  private readonly source: MonitorSource;
  private readonly askSelf: AskSelf;
  private latest: { readonly madeMs: number; readonly diagnosis: Promise<Diagnosis> } | null = null;

  constructor(source: MonitorSource, askSelf: AskSelf) {
    this.source = source;
    this.askSelf = askSelf;
  }

  /** 200 whatever is found: the status stands in the answer. */
  async answer(): Promise<Answer> {
    const nowMs = this.source.nowMs();
    if (this.latest === null || nowMs - this.latest.madeMs >= FRESH_MS)
      this.latest = { madeMs: nowMs, diagnosis: this.make() };
    return compactJson(200, await this.latest.diagnosis);
  }

  private async make(): Promise<Diagnosis> {
    const { source } = this;
    const servers = 1 + (source.cluster?.snapshot()?.peers.length ?? 0);
    const through: GatherHost = {
      everybody: (kind, options, expected) => source.view.answers(kind, options, expected ?? servers),
    };
    const documents = await gather(through);
    const found = documents.length > 0 ? documents : await gather(this.alone);
    return diagnose(found.map(readServer));
  }

  /** Without a system account this server knows of itself only. */
  private get alone(): GatherHost {
    const { id, name } = this.source.facts();
    return {
      everybody: async (kind, options) => [{ id, name, error: "", data: await this.own(kind, options) }],
    };
  }

  private async own(kind: string, options: object): Promise<Told["data"]> {
    const asked = Object.entries(options).map(([key, value]) => [OPTIONS.get(key) ?? key, String(value)]);
    const query = new Query(new URLSearchParams(asked).toString());
    const { body } = await this.askSelf(`/${kind.toLowerCase()}`, query);
    return JSON.parse([...body].join("")) as Told["data"];
  }
}

/** Options of requests that endpoints call by another name. */
const OPTIONS: ReadonlyMap<string, string> = new Map([["consumer", "consumers"]]);
