/** What the accounts shall be: how the configuration describes them to the core. Checked before it comes here. */

/** null: no limit. */
export interface AccountLimits {
  readonly maxConnections: number | null;
  /** Per connection. */
  readonly maxSubscriptions: number | null;
  readonly maxPayloadBytes: number | null;
}

/** How many messages answer a request: one, or any number; chunks end with an empty one. */
type ResponseType = "singleton" | "stream" | "chunked";

export interface LatencyDefinition {
  /** Where results are published, in the account that exports. */
  readonly subject: string;
  /** Percent of the requests; null: those whose headers ask for a trace. */
  readonly sampling: number | null;
}

export interface ExportDefinition {
  readonly subject: string;
  /** Who may import it, for monitoring: what is configured has been checked; null: everybody. */
  readonly accounts: readonly string[] | null;
}

export interface ServiceExportDefinition extends ExportDefinition {
  readonly responseType: ResponseType;
  /** Time for a response, or between two. */
  readonly responseThresholdMs: number;
  readonly latency: LatencyDefinition | null;
  /** Whether requests may be traced in the exporter's account, too; absent: no. */
  readonly allowTrace?: boolean;
}

interface ImportDefinition {
  readonly account: string;
  /** There, with wildcards. */
  readonly subject: string;
  /** Here: the same, or a destination with `$1` or `*` for its wildcards. */
  readonly to: string;
}

interface StreamImportDefinition extends ImportDefinition {
  /** Whether what the exporter's clients publish may be traced in the importer's account, too; absent: no. */
  readonly allowTrace?: boolean;
}

interface ServiceImportDefinition extends ImportDefinition {
  /** Whether the exporter is told who asks. */
  readonly share: boolean;
}

export interface AccountDefinition {
  readonly name: string;
  readonly limits: AccountLimits;
  readonly streamExports: readonly ExportDefinition[];
  readonly serviceExports: readonly ServiceExportDefinition[];
  readonly streamImports: readonly StreamImportDefinition[];
  readonly serviceImports: readonly ServiceImportDefinition[];
  /** Its requests to JetStream go to the system account, where whichever server of the cluster has JetStream answers; absent: no. */
  readonly usesJetStream?: boolean;
  /** Where messages with a `traceparent` are traced; null or absent: they are not. */
  readonly trace?: TraceDefinition | null;
}

export interface TraceDefinition {
  readonly destination: string;
  /** Percent of the messages. */
  readonly sampling: number;
}

export interface AccountsDefinition {
  readonly accounts: readonly AccountDefinition[];
  /** Made where it is not among the accounts; null: there is none. */
  readonly systemAccount: string | null;
  /** As the same of an account, for the global one. */
  readonly globalUsesJetStream?: boolean;
}
