/** `/healthz`: whether the server serves clients, and whether JetStream keeps what it should. */
import type { JetStreamClusterReport } from "../jetstream/cluster-report.ts";
import type { JetStreamAccountReport, JetStreamReport, StreamReport } from "../jetstream/report.ts";
import { compactJson, type Answer } from "./answer.ts";
import type { Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";

interface Complaint {
  /** HTTP status. */
  readonly code: number;
  readonly status: "error" | "unavailable";
  /** nats-server's name for the kind of problem. */
  readonly type: "BAD_REQUEST" | "CONNECTION" | "JETSTREAM" | "ACCOUNT" | "STREAM" | "CONSUMER";
  readonly error: string;
  readonly account?: string;
  readonly stream?: string;
  readonly consumer?: string;
}

/** "": not asked for. */
interface Wanted {
  readonly account: string;
  readonly stream: string;
  readonly consumer: string;
}

/** Differences that are shown. */
const DIFFERENCES_MAX = 100;
const NO_ACCOUNT = '"account" must not be empty when checking stream health';
const NO_STREAM = '"stream" must not be empty when checking consumer health';

export function healthz(source: MonitorSource, query: Query): Answer {
  const [isEnabledAsked, isEnabledOnlyAsked, isServerAsked] = [
    "js-enabled",
    "js-enabled-only",
    "js-server-only",
  ].map((option) => query.flag(option));
  const isMetaAsked = query.flag("js-meta-only");
  const areRemotesAsked = query.flag("leaf-remotes-connected");
  const isDetailed = query.flag("details");
  const wanted = {
    account: query.text("account"),
    stream: query.text("stream"),
    consumer: query.text("consumer"),
  };
  const ownTrouble = complaintOfServer(source, wanted);
  if (ownTrouble !== null) return answer([ownTrouble], isDetailed);
  const unconnected = areRemotesAsked ? complaintsOfRemotes(source) : [];
  if (unconnected.length > 0) return answer(unconnected, isDetailed);
  const report = source.jetStream()?.report ?? null;
  if (report === null || isServerAsked || isEnabledAsked || isEnabledOnlyAsked) return answer([], isDetailed);
  const { cluster } = report;
  const metaTrouble = cluster?.metaTrouble ?? "";
  if (metaTrouble !== "")
    return answer([{ code: 503, status: "unavailable", type: "JETSTREAM", error: metaTrouble }], isDetailed);
  if (cluster !== null && isMetaAsked) return answer([], isDetailed);
  const complaints =
    cluster === null ? complaintsOfStreams(report, wanted) : complaintsOfCopies(report, cluster, wanted);
  if (!isDetailed) return answer(complaints, false);
  return answer(complaints, true, {
    damage: damageIn(report, wanted),
    differences: differencesIn(cluster, wanted),
  });
}

function complaintOfServer(source: MonitorSource, { account, stream, consumer }: Wanted): Complaint | null {
  if (account === "" && stream !== "")
    return { code: 400, status: "error", type: "BAD_REQUEST", error: NO_ACCOUNT };
  if (stream === "" && consumer !== "")
    return { code: 400, status: "error", type: "BAD_REQUEST", error: NO_STREAM };
  const problem = source.whyNotReady();
  return problem === null ? null : { code: 500, status: "error", type: "CONNECTION", error: problem };
}

function complaintsOfRemotes(source: MonitorSource): Complaint[] {
  const errors = source.unconnectedRemotes().map(({ account, urls }) => {
    const list = urls.map((url) => JSON.stringify(url)).join(" ");
    return `leafnode remote for account ${JSON.stringify(account)} (urls=[${list}]) is not connected`;
  });
  return errors.toSorted().map((error) => ({ code: 503, status: "unavailable", type: "CONNECTION", error }));
}

function complaintsOfStreams(report: JetStreamReport, wanted: Wanted): Complaint[] {
  const missing = missingOf(report, wanted);
  if (missing !== null) return [missing];
  const complaints: Complaint[] = [];
  for (const account of accountsOf(report, wanted)) {
    for (const { name, problem } of streamsOf(account, wanted)) {
      if (problem === "") continue;
      const error = `JetStream stream '${account.name} > ${name}' write error: ${problem}`;
      complaints.push({
        code: 503,
        status: "unavailable",
        type: "STREAM",
        error,
        account: account.name,
        stream: name,
      });
    }
  }
  return complaints;
}

/** What this server should keep for its cluster and does not keep well. */
function complaintsOfCopies(
  report: JetStreamReport,
  cluster: JetStreamClusterReport,
  wanted: Wanted,
): Complaint[] {
  const missing = missingOf(report, wanted);
  const isWanted = (asked: string, name: string): boolean => asked === "" || asked === name;
  const complaints: Complaint[] = [];
  for (const { account, stream, consumer, error } of cluster.troubles()) {
    if (!isWanted(wanted.account, account) || !isWanted(wanted.stream, stream)) continue;
    if (consumer !== "" && !isWanted(wanted.consumer, consumer)) continue;
    const isStream = consumer === "";
    const what = isStream
      ? `stream '${account} > ${stream}'`
      : `consumer '${account} > ${stream} > ${consumer}'`;
    complaints.push({
      code: 503,
      status: "unavailable",
      type: isStream ? "STREAM" : "CONSUMER",
      error: `JetStream ${what} is not current: ${error}`,
      account,
      stream,
      ...(isStream ? {} : { consumer }),
    });
  }
  return complaints.length === 0 && missing !== null ? [missing] : complaints;
}

/** null: nothing that was asked for is missing. */
function missingOf(report: JetStreamReport, { account, stream, consumer }: Wanted): Complaint | null {
  if (account === "") return null;
  const missing = { code: 404, status: "unavailable" } as const;
  const quoted = (name: string): string => JSON.stringify(name);
  const found = report.account(account);
  if (found === null)
    return { ...missing, type: "ACCOUNT", account, error: `JetStream account ${quoted(account)} not found` };
  const one = found.stream(stream);
  if (stream !== "" && one === null) {
    const error = `JetStream stream ${quoted(stream)} not found on account ${quoted(account)}`;
    return { ...missing, type: "STREAM", account, stream, error };
  }
  if (consumer === "" || one?.hasConsumer(consumer) === true) return null;
  const where = `stream ${quoted(stream)} on account ${quoted(account)}`;
  const error = `JetStream consumer ${quoted(consumer)} not found for ${where}`;
  return { ...missing, type: "CONSUMER", account, stream, consumer, error };
}

/** Not in nats-server: lost data is named, and the server serves what is intact. */
function damageIn(report: JetStreamReport, wanted: Wanted): object[] {
  const damage: object[] = [];
  for (const account of accountsOf(report, wanted)) {
    for (const { name, lost } of streamsOf(account, wanted))
      if (lost > 0) damage.push({ account: account.name, stream: name, lost_msgs: lost });
    if (wanted.stream === "")
      for (const folder of account.putAside) damage.push({ account: account.name, quarantine: folder });
  }
  return damage;
}

/** Not in nats-server: it is mended after a while, and does not change the status. */
function differencesIn(cluster: JetStreamClusterReport | null, wanted: Wanted): object[] {
  return (cluster?.differences ?? [])
    .filter(
      ({ account, stream }) =>
        wanted.account === "" ||
        (account === wanted.account && (wanted.stream === "" || stream === wanted.stream)),
    )
    .slice(0, DIFFERENCES_MAX)
    .map(({ kind, ...about }) => ({
      difference: kind,
      ...Object.fromEntries(Object.entries(about).filter(([, name]) => name !== "")),
    }));
}

function accountsOf(report: JetStreamReport, { account }: Wanted): JetStreamAccountReport[] {
  const names = account === "" ? report.accountNames : [account];
  return names.map((name) => report.account(name)).filter((one) => one !== null);
}

function streamsOf(account: JetStreamAccountReport, { stream }: Wanted): Iterable<StreamReport> {
  if (stream === "") return account.streams;
  const found = account.stream(stream);
  return found === null ? [] : [found];
}

function answer(
  complaints: readonly Complaint[],
  isDetailed: boolean,
  details: Readonly<Record<string, readonly object[]>> = {},
): Answer {
  const [first] = complaints;
  const more = Object.fromEntries(Object.entries(details).filter(([, list]) => list.length > 0));
  if (first === undefined) return compactJson(200, { status: "ok", ...more });
  if (!isDetailed) return compactJson(first.code, { status: first.status, error: first.error });
  const errors = complaints.map(({ type, account, stream, consumer, error }) => ({
    type,
    account,
    stream,
    consumer,
    error,
  }));
  return compactJson(first.code, { status: "error", errors, ...more });
}
