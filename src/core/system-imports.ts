/**
 * What every account may ask the system account about itself: its connections and figures on all servers, and its user. Imports
 * that nobody configures, as nats-server has them. Where an account imports something under the same subject, that counts.
 */
import type { Random } from "../base/random.ts";
import type { Account } from "./account.ts";
import type { ServiceExportDefinition } from "./definitions.ts";
import { ServiceImport } from "./service-import.ts";

const RESPONSE_THRESHOLD_MS = 120_000;

type Service = Pick<ServiceExportDefinition, "subject" | "responseType">;
/** Every server answers, with what it knows of the account. */
const CONNZ: Service = { subject: "$SYS.REQ.ACCOUNT.*.CONNZ", responseType: "stream" };
const STATZ: Service = { subject: "$SYS.REQ.ACCOUNT.*.STATZ", responseType: "stream" };
/** The server that the user is connected to answers. */
const USER_INFO: Service = { subject: "$SYS.REQ.USER.*.INFO", responseType: "singleton" };

const IMPORTS: readonly (readonly [here: string, there: Service])[] = [
  ["$SYS.REQ.ACCOUNT.PING.CONNZ", CONNZ],
  ["$SYS.REQ.SERVER.PING.CONNZ", CONNZ],
  ["$SYS.REQ.ACCOUNT.PING.STATZ", STATZ],
  ["$SYS.REQ.USER.INFO", USER_INFO],
];

/** `taken`: subjects of imports that are configured. */
export function systemImports(
  importer: Account,
  exporter: Account,
  taken: ReadonlySet<string>,
  random: Random,
): ServiceImport[] {
  return IMPORTS.filter(([here]) => !taken.has(here)).map(
    ([to, service]) =>
      new ServiceImport({
        importer,
        exporter,
        subject: service.subject.replace("*", importer.name),
        to,
        share: service === USER_INFO,
        export: { ...service, accounts: null, responseThresholdMs: RESPONSE_THRESHOLD_MS, latency: null },
        random,
      }),
  );
}
