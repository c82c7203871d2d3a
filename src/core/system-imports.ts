/**
 * Implicit imports from the system account, as in nats-server: requests of every account about its own connections, statistics and
 * users, and JetStream requests of accounts that use JetStream. A configured import of the same subject has precedence.
 */
import type { Random } from "../base/random.ts";
import { toByteString } from "../protocol/info.ts";
import type { Account } from "./account.ts";
import type { ServiceExportDefinition } from "./definitions.ts";
import { ServiceImport } from "./service-import.ts";

/** Implicit imports are not measured, and are traced in the requesting account only. */
const UNCONFIGURED = { accounts: null, responseThresholdMs: 120_000, latency: null, allowTrace: false };

type Service = Pick<ServiceExportDefinition, "subject" | "responseType">;
/** Every server answers for its part of the account. */
const CONNZ: Service = { subject: "$SYS.REQ.ACCOUNT.*.CONNZ", responseType: "stream" };
const STATZ: Service = { subject: "$SYS.REQ.ACCOUNT.*.STATZ", responseType: "stream" };
/** The server that the user is connected to answers. */
const USER_INFO: Service = { subject: "$SYS.REQ.USER.*.INFO", responseType: "singleton" };

/** The leader, or the server that the request addresses, answers. */
const JETSTREAM: Service = { subject: "$JS.API.>", responseType: "singleton" };
/** Subjects of consumers and streams within the account, which do not cross. */
const WITHIN_ACCOUNT: readonly string[] = ["$JS.API.CONSUMER.MSG.NEXT.", "$JS.API.DIRECT.GET"];

interface SystemImport {
  readonly here: string;
  readonly there: Service;
  /** Whether the system account learns the client, and not only its account. */
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

/** `taken`: subjects of configured imports. */
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
