/** `/healthz`: whether the server serves clients. What concerns JetStream is as well as can be where there is none. */
import { compactJson, type Answer } from "./answer.ts";
import type { Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";

export function healthz(source: MonitorSource, query: Query): Answer {
  for (const option of ["js-enabled", "js-enabled-only", "js-server-only", "js-meta-only"])
    query.flag(option);
  const isDetailed = query.flag("details");
  const complaint = (status: number, type: string, error: string): Answer =>
    compactJson(status, {
      status: "error",
      ...(isDetailed ? { errors: [{ type, error }] } : { error }),
    });
  const [account, stream, consumer] = ["account", "stream", "consumer"].map((name) => query.text(name));
  if (account === "" && stream !== "") {
    return complaint(400, "BAD_REQUEST", '"account" must not be empty when checking stream health');
  }
  if (stream === "" && consumer !== "") {
    return complaint(400, "BAD_REQUEST", '"stream" must not be empty when checking consumer health');
  }
  const problem = source.whyNotReady();
  return problem === null ? compactJson(200, { status: "ok" }) : complaint(500, "CONNECTION", problem);
}
