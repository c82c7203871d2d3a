/** Definitions of accounts: how the configuration describes them to the core. They have been checked. */

/** null: no limit. */
export interface AccountLimits {
  readonly maxConnections: number | null;
  /** Absent: no limit, either. */
  readonly maxLeafNodes?: number | null;
  /** Per connection. */
  readonly maxSubscriptions: number | null;
  readonly maxPayloadBytes: number | null;
}

/** The number of messages that answer a request: one or any number; chunks end with an empty message. */
type ResponseType = "singleton" | "stream" | "chunked";

export interface LatencyDefinition {
  /** The subject of results in the exporting account. */
  readonly subject: string;
  /** Percent of the requests; null: requests whose headers ask for a trace. */
  readonly sampling: number | null;
}

export interface ExportDefinition {
  readonly subject: string;
  /** Accounts that may import it; for monitoring only, since imports have been checked. null: all. */
  readonly accounts: readonly string[] | null;
}

export interface ServiceExportDefinition extends ExportDefinition {
  readonly responseType: ResponseType;
  /** Longest time to the first response, or between two responses. */
  readonly responseThresholdMs: number;
  readonly latency: LatencyDefinition | null;
  /** Whether requests may be traced in the exporter's account, too; absent: no. */
  readonly allowTrace?: boolean;
}

interface ImportDefinition {
  readonly account: string;
  /** Subject in the exporting account, with wildcards. */
  readonly subject: string;
  /** Subject in the importing account: the same, or a destination with `$1` or `*` for the wildcards. */
  readonly to: string;
}

interface StreamImportDefinition extends ImportDefinition {
  /** Whether what the exporter's clients publish may be traced in the importer's account, too; absent: no. */
  readonly allowTrace?: boolean;
}

interface ServiceImportDefinition extends ImportDefinition {
  /** Whether the exporter learns the identity of the requester. */
  readonly share: boolean;
}

export interface AccountDefinition {
  readonly name: string;
  readonly limits: AccountLimits;
  readonly streamExports: readonly ExportDefinition[];
  readonly serviceExports: readonly ServiceExportDefinition[];
  readonly streamImports: readonly StreamImportDefinition[];
  readonly serviceImports: readonly ServiceImportDefinition[];
  /** Whether JetStream requests cross into the system account, where the servers with JetStream answer; absent: no. */
  readonly usesJetStream?: boolean;
  /** Destination of traces of messages with a `traceparent`; null or absent: these are not traced. */
  readonly trace?: TraceDefinition | null;
}

export interface TraceDefinition {
  readonly destination: string;
  /** Percent of the messages. */
  readonly sampling: number;
}

export interface AccountsDefinition {
  readonly accounts: readonly AccountDefinition[];
  /** Created if it is not among the accounts; null: none. */
  readonly systemAccount: string | null;
  /** The same for the global account. */
  readonly globalUsesJetStream?: boolean;
}
