/** JetStream, as configured. */
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import { isSigned } from "../../config/values/operator-values.ts";
import type { AccountJetStream } from "../../config/values/account-features.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";
import { NO_LIMITS as NO_JETSTREAM_LIMITS, type JetStreamLimits } from "../../jetstream/limits.ts";
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "../../jetstream/server-limits.ts";
import type { JetStreamSettings } from "../jetstream-settings.ts";
import { systemAccountOf } from "./accounts.ts";

/** Share of the machine's memory that streams in memory may take. */
const JETSTREAM_MEMORY = 0.75;

/** null: the server keeps no streams. */
export function jetStreamSettings({
  jetStream,
  jetStreamLimits,
  accounts,
  operator,
}: Config): JetStreamSettings | null {
  if (!jetStream.isEnabled) return null;
  const system = systemAccountOf(accounts);
  const users = accounts.list.filter(({ name }) => name !== system);
  const limits = users.flatMap(({ name, jetStream: own }): [string, JetStreamLimits][] =>
    own === null ? [] : [[name, { ...own, ...jetStreamNames(own) }]],
  );
  return {
    storeFolder: jetStream.storeDir ?? join(tmpdir(), "nats"),
    maxMemoryBytes: jetStream.maxMemoryBytes ?? Math.floor(totalmem() * JETSTREAM_MEMORY),
    maxFileBytes: jetStream.maxFileBytes,
    domain: jetStream.domain,
    isStrict: jetStream.isStrict,
    syncIntervalMs: jetStream.syncIntervalMs,
    scrubIntervalMs: jetStream.scrubIntervalMs,
    uniqueTag: jetStream.uniqueTag,
    balancesLeaders: jetStream.balancesLeaders,
    serverLimits: serverLimits(jetStreamLimits),
    shownLimits: jetStreamLimits,
    encryption: encryptionOf(jetStream),
    // Accounts of operators come later.
    accounts: new Map(
      users.length === 0 && !isSigned(operator) ? [[GLOBAL_ACCOUNT, NO_JETSTREAM_LIMITS]] : limits,
    ),
  };
}

function serverLimits(own: Config["jetStreamLimits"]): ServerLimits {
  const { batches, requests } = DEFAULT_SERVER_LIMITS;
  const open = (usual: { readonly perStream: number; readonly total: number }) => ({
    perStream: own.maxBatchInflightPerStream ?? usual.perStream,
    total: own.maxBatchInflightTotal ?? usual.total,
  });
  const requestsMax = own.requestQueueLimit ?? requests;
  return {
    maxAckPending: own.maxAckPending ?? 0,
    maxRequestBatch: own.maxRequestBatch ?? 0,
    defaultMaxConsumers: own.defaultMaxConsumers,
    duplicateWindowNs: (own.duplicateWindowMs ?? 0) * 1e6,
    batches: {
      atomic: open(batches.atomic),
      fast: open(batches.fast),
      messages: own.maxBatchMessages ?? batches.messages,
      silenceMs: own.maxBatchTimeoutMs ?? batches.silenceMs,
    },
    requests: requestsMax,
    infoRequests: own.infoQueueLimit ?? requestsMax,
  };
}

/** null: everything lies there in the clear. */
function encryptionOf({ key, previousKey, cipher }: Config["jetStream"]): JetStreamSettings["encryption"] {
  if (key === "") return null;
  const name = cipher === "aes" ? "aes-256-gcm" : "chacha20-poly1305";
  return { key, previousKey: previousKey === "" ? null : previousKey, cipher: name };
}

function jetStreamNames(
  own: AccountJetStream,
): Pick<JetStreamLimits, "maxFileBytes" | "maxMemoryStreamBytes" | "maxFileStreamBytes" | "tiers"> {
  return {
    tiers: null,
    maxFileBytes: own.maxStoreBytes,
    maxMemoryStreamBytes: own.memoryMaxStreamBytes,
    maxFileStreamBytes: own.storeMaxStreamBytes,
  };
}
