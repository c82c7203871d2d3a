/**
 * What every account may ask the system account about itself: its connections and figures on all servers, and its user; and what
 * accounts that use JetStream ask the servers that have it. Imports
 * that nobody configures, as nats-server has them. Where an account imports something under the same subject, that counts.
 */
import type { Random } from "../base/random.ts";
import { toByteString } from "../protocol/info.ts";
import type { Account } from "./account.ts";
import type { ServiceExportDefinition } from "./definitions.ts";
import { ServiceImport } from "./service-import.ts";

/** What nobody configures is measured by nobody, and traced in the account that asks alone. */
const UNCONFIGURED = { accounts: null, responseThresholdMs: 120_000, latency: null, allowTrace: false };

type Service = Pick<ServiceExportDefinition, "subject" | "responseType">;
/** Every server answers, with what it knows of the account. */
const CONNZ: Service = { subject: "$SYS.REQ.ACCOUNT.*.CONNZ", responseType: "stream" };
const STATZ: Service = { subject: "$SYS.REQ.ACCOUNT.*.STATZ", responseType: "stream" };
/** The server that the user is connected to answers. */
const USER_INFO: Service = { subject: "$SYS.REQ.USER.*.INFO", responseType: "singleton" };

/** The server that leads the streams, or the one of which it is asked, answers. */
const JETSTREAM: Service = { subject: "$JS.API.>", responseType: "singleton" };
/** What consumers and streams themselves listen to, in the account: it does not cross. */
const WITHIN_ACCOUNT: readonly string[] = ["$JS.API.CONSUMER.MSG.NEXT.", "$JS.API.DIRECT.GET"];

interface SystemImport {
  readonly here: string;
  readonly there: Service;
  /** Whether the system account is told of the client and not of its account alone. */
  readonly share: boolean;
  readonly isFor: (account: Account) => boolean;
  readonly except: readonly string[];
}

const EVERYBODY = { share: false, isFor: () => true, except: [] };

const IMPORTS: readonly SystemImport[] = [
  { here: "$SYS.REQ.ACCOUNT.PING.CONNZ", there: CONNZ, ...EVERYBODY },
  { here: "$SYS.REQ.SERVER.PING.CONNZ", there: CONNZ, ...EVERYBODY },
  { here: "$SYS.REQ.ACCOUNT.PING.STATZ", there: STATZ, ...EVERYBODY },
  { here: "$SYS.REQ.USER.INFO", there: USER_INFO, ...EVERYBODY, share: true },
  {
    here: JETSTREAM.subject,
    there: JETSTREAM,
    share: true,
    isFor: ({ usesJetStream }) => usesJetStream,
    except: WITHIN_ACCOUNT,
  },
];

/** `taken`: subjects of imports that are configured. */
export function systemImports(
  importer: Account,
  exporter: Account,
  taken: ReadonlySet<string>,
  random: Random,
): ServiceImport[] {
  return IMPORTS.filter(({ here, isFor }) => !taken.has(here) && isFor(importer)).map(
    ({ here, there, share, except }) =>
      new ServiceImport({
        importer,
        exporter,
        subject: there.subject.replace("*", () => toByteString(importer.name)),
        to: here,
        share,
        except,
        export: { ...there, ...UNCONFIGURED },
        random,
      }),
  );
}
