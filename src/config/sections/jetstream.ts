/** JetStream: where streams are kept and how much they may take. Limits of accounts are in values/account-features.ts. */
import { ConfError, type Origin } from "../formats/nats-conf/node.ts";
import { rowsOf, type FieldOf, type Section, type Sheet } from "../option.ts";
import { isDisabledBlock, isOff } from "../values/block.ts";
import { durationOrOff } from "../values/duration-or-off.ts";
import { isSigned, type OperatorConfig } from "../values/operator-values.ts";
import {
  bool,
  duration,
  integer,
  limit,
  metadata,
  mismatch,
  path,
  text,
  type ValueType,
} from "../values/value-type.ts";
import { isNkeyOf } from "../../keys/nkey.ts";
import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from "../../subject/account-names.ts";
import { isValidSubject } from "../../subject/subject.ts";
import type { AccountsConfig } from "./accounts.ts";
import type { ClusterConfig } from "./cluster.ts";

type Cipher = "chacha" | "aes";

/** What stands behind `$JS` for something else. */
const RESERVED_DOMAINS: ReadonlySet<string> = new Set(["ACK", "FC", "SNAPSHOT", "EVENT"]);

interface JetStreamConfig {
  readonly isEnabled: boolean;
  /** null: in the folder for temporary files. */
  readonly storeDir: string | null;
  /** null: derived from the machine's memory. */
  readonly maxMemoryBytes: number | null;
  /** null: derived from the volume. */
  readonly maxFileBytes: number | null;
  /** "": none. */
  readonly domain: string;
  /** The domain that requests of an account go to which has no streams here; "": they cross leaf connections as they are. */
  readonly defaultDomains: Readonly<Record<string, string>>;
  /** Requests with unknown fields are refused. */
  readonly isStrict: boolean;
  /** null: a message is on the disk before it is acknowledged; otherwise, within this time. */
  readonly syncIntervalMs: number | null;
  /** Within this time all that is on the disk is read back; null: it never is. */
  readonly scrubIntervalMs: number | null;
  /** Of clusters: how the tag begins by which copies of a stream differ. "": none. */
  readonly uniqueTag: string;
  /** Of clusters: leaderships are spread over the servers. */
  readonly balancesLeaders: boolean;
  /** "": nothing is encrypted. */
  readonly key: string;
  /** The one before, while it is being changed; "": it is not. */
  readonly previousKey: string;
  readonly cipher: Cipher;
  /** Servers with JetStream that there have to be before a cluster begins to keep streams; null: as many as there are routes. */
  readonly clusterSize: number | null;
  /** For how long a pod that its StatefulSet no longer wants moves what it keeps to others; null: it does not. */
  readonly leaveWithinMs: number | null;
}

export interface SeenByJetStream {
  readonly jetStream: JetStreamConfig;
  readonly cluster: ClusterConfig;
  readonly accounts: AccountsConfig;
  readonly operator: OperatorConfig;
}

const syncDuration = duration({
  minMs: 1,
  zero: "itself",
  bareNumber: "seconds",
});

/** null: always. */
const syncInterval: ValueType<number | null> = {
  ...syncDuration,
  name: `"always" or a duration`,
  fromNode: (node, notes) =>
    node.kind === "string" && node.value.toLowerCase() === "always"
      ? null
      : syncDuration.fromNode(node, notes),
  show: (value) => (value === null ? "always" : syncDuration.show(value)),
};

/** nats-server's names. */
const CIPHERS: Readonly<Record<string, Cipher>> = { chacha: "chacha", chachapoly: "chacha", aes: "aes" };

const cipherName: ValueType<Cipher> = {
  name: "chacha or aes",
  fromNode(node) {
    const found = node.kind === "string" ? CIPHERS[node.value.toLowerCase()] : undefined;
    return found ?? mismatch(node, "a cipher: chacha or aes");
  },
  nodeFromText: (value, at) => text.nodeFromText(value, at),
  show: (value) => value,
};

const sizeLimit = limit("size");
/** Below 0: null, as if nobody had said how much; 0: nothing at all. */
const room: ValueType<number | null> = {
  ...sizeLimit,
  fromNode: (node, notes) => (node.kind === "int" && node.value === 0n ? 0 : sizeLimit.fromNode(node, notes)),
};

const serverCount = integer({ min: 2, max: 1024, zero: "itself" });
/** null: it is not said. */
const clusterSize: ValueType<number | null> = {
  ...serverCount,
  show: (value) => (value === null ? "" : serverCount.show(value)),
};

const lowerCase: ValueType<string> = {
  ...text,
  fromNode: (node, notes) => text.fromNode(node, notes)?.trim().toLowerCase(),
};

/** `jetstream: true`, `enabled`, or a block, which turns it on unless it says otherwise. */
const jetStreamSwitch: ValueType<boolean> = {
  ...bool,
  name: "boolean, or a block",
  fromNode(node) {
    if (node.kind === "map") return !isDisabledBlock(node);
    if (isOff(node)) return false;
    if (node.kind === "string" && /^enabled?$/i.test(node.value)) return true;
    return node.kind === "bool"
      ? node.value
      : mismatch(node, "true, false, enabled, disabled, or a block { … }");
  },
};

/** A file may name the folder in one place only. */
function assignFolder(sheet: Sheet<FieldOf<SeenByJetStream>>, value: string | null, at: Origin): void {
  const before = sheet.get("jetStream.storeDir");
  if (before?.at.kind === "file" && at.kind === "file")
    throw new ConfError(at, "Duplicate 'store_dir' configuration");
  sheet.set("jetStream.storeDir", value, at);
}

const { option, composite } = rowsOf<SeenByJetStream, "jetStream">("jetStream", "JetStream");

export const jetStream: Section<SeenByJetStream, "jetStream"> = {
  name: "jetStream",
  rows: [
    composite({
      key: "jetstream",
      fields: ["jetStream.isEnabled"],
      type: jetStreamSwitch,
      env: null,
      defaultText: "false",
      reload: "restart",
      description: "Keep messages in streams; a block of the options below turns it on as well",
      assign: (sheet, value, at) => sheet.set("jetStream.isEnabled", value, at),
    }),
    option({
      key: "jetstream.enabled",
      aliases: ["enable"],
      field: "isEnabled",
      type: bool,
      default: false,
      flags: ["js", "jetstream"],
      reload: "restart",
      description: "Whether the block turns JetStream on",
    }),
    composite({
      key: "jetstream.store_dir",
      aliases: ["store", "storedir"],
      fields: ["jetStream.storeDir"],
      defaults: [["jetStream.storeDir", { value: null }]],
      type: path,
      defaultText: "nats in the folder for temporary files",
      flags: ["sd", "store_dir"],
      flagValue: "<dir>",
      reload: "restart",
      description: "Folder for what is kept, below jetstream/ in it",
      assign: assignFolder,
    }),
    composite({
      key: "store_dir",
      aliases: ["storedir"],
      fields: ["jetStream.storeDir"],
      type: path,
      env: null,
      defaultText: "that of jetstream.store_dir",
      reload: "restart",
      description: "The same as jetstream.store_dir",
      assign: assignFolder,
    }),
    option({
      key: "jetstream.max_mem",
      aliases: ["max_memory_store", "max_mem_store"],
      field: "maxMemoryBytes",
      type: room,
      default: null,
      defaultText: "three quarters of the memory",
      reload: "restart",
      description: "What streams in memory may take altogether",
    }),
    option({
      key: "jetstream.max_file",
      aliases: ["max_file_store"],
      field: "maxFileBytes",
      type: room,
      default: null,
      defaultText: "what the volume has, less a reserve",
      reload: "restart",
      description: "What streams on disk may take altogether",
    }),
    option({
      key: "jetstream.domain",
      field: "domain",
      type: text,
      default: "",
      defaultText: "",
      reload: "restart",
      description: "Domain under which requests are answered as well ($JS.<domain>.API)",
    }),
    option({
      key: "default_js_domain",
      field: "defaultDomains",
      type: metadata,
      default: {},
      reload: "restart",
      description:
        "By account, the domain behind leaf connections that its requests go to where it has no streams here",
    }),
    option({
      key: "jetstream.strict",
      field: "isStrict",
      type: bool,
      default: true,
      reload: "restart",
      description: "Refuse requests with fields that nobody knows; else such fields are ignored",
    }),
    option({
      key: "jetstream.sync_interval",
      aliases: ["sync"],
      field: "syncIntervalMs",
      type: syncInterval,
      default: null,
      defaultText: "always",
      reload: "restart",
      description:
        "When the disk has to have what was published: always, before it is acknowledged; or within this time afterwards",
    }),
    option({
      key: "jetstream.scrub_interval",
      field: "scrubIntervalMs",
      type: durationOrOff,
      default: 24 * 3_600_000,
      reload: "restart",
      description: "Within this time all that is on the disk is read back, to find damage; 0 or off: never",
    }),
    option({
      key: "jetstream.unique_tag",
      field: "uniqueTag",
      type: lowerCase,
      default: "",
      defaultText: "",
      reload: "restart",
      description:
        "How the tag of servers begins (server_tags) by which any two replicas of a stream differ; without it they are spread by the tags zone: and az: as far as it goes",
    }),
    option({
      key: "jetstream.balance_leaders",
      field: "balancesLeaders",
      type: bool,
      default: true,
      reload: "restart",
      description:
        "In a cluster, spread leaderships of streams and consumers over the servers: one in some seconds, while all is well",
    }),
    option({
      key: "jetstream.cluster_size",
      field: "clusterSize",
      type: clusterSize,
      default: null,
      defaultText: "the number of cluster.routes",
      reload: "live",
      description: "Servers with JetStream that there have to be before a cluster begins to keep streams",
    }),
    option({
      key: "jetstream.leave_within",
      field: "leaveWithinMs",
      type: durationOrOff,
      default: null,
      defaultText: "off",
      reload: "restart",
      description:
        "For how long a pod that its StatefulSet no longer wants moves its streams to the other servers before it ends; 0 or off: it does not",
    }),
    option({
      key: "jetstream.key",
      aliases: ["ek", "encryption_key"],
      field: "key",
      type: text,
      default: "",
      defaultText: "",
      isSecret: true,
      reload: "restart",
      description: "Key by which all that is kept is encrypted; without one it lies there in the clear",
    }),
    option({
      key: "jetstream.prev_encryption_key",
      aliases: ["prev_ek", "prev_key"],
      field: "previousKey",
      type: text,
      default: "",
      defaultText: "",
      isSecret: true,
      reload: "restart",
      description: "The key before: a start with it encrypts all again with the new one",
    }),
    option({
      key: "jetstream.cipher",
      field: "cipher",
      type: cipherName,
      default: "chacha",
      reload: "restart",
      description: "What encrypts: chacha (ChaCha20-Poly1305) or aes (AES-256-GCM)",
    }),
  ],
  check(seen, sheet) {
    const { isEnabled, domain, clusterSize: size } = seen.jetStream;
    const { cluster } = seen;
    const errors: ConfError[] = [];
    const ofDefaults = problemOfDomains(seen, sheet);
    if (ofDefaults !== null) errors.push(sheet.errorAt(["jetStream.defaultDomains"], ofDefaults));
    const ofDomain = problemOfDomain(domain);
    if (ofDomain !== null) errors.push(sheet.errorAt(["jetStream.domain"], ofDomain));
    if (!isEnabled || cluster.port === null) return errors;
    const refuse = (field: FieldOf<SeenByJetStream>, reason: string): void =>
      void errors.push(sheet.errorAt([field, "jetStream.isEnabled", "cluster.port"], reason));
    if (cluster.name === null) refuse("cluster.name", "jetstream cluster requires `cluster.name` to be set");
    if (size === null && cluster.routes.length < 2)
      refuse(
        "jetStream.clusterSize",
        "JetStream in a cluster has to know how many servers begin it: set jetstream.cluster_size, or list all of them in cluster.routes",
      );
    return errors;
  },
  unsupported: [{ feature: "Encryption by a TPM is", keys: ["jetstream.tpm"] }],
  /** Of what one server does not have: other members, and queues before streams and before the disk. */
  withoutEffect: {
    "jetstream.max_buffered_size": "size",
    "jetstream.max_buffered_msgs": "int",
    "jetstream.max_concurrent_io": "4 to 8192",
    "jetstream.max_outstanding_catchup": "size",
    "jetstream.meta_compact": "int",
    "jetstream.meta_compact_size": "size",
    "jetstream.meta_compact_sync": "bool",
    "jetstream.extension_hint": "string",
  },
};

/** Why a domain is refused, in nats-server's words; null: it is not. */
function problemOfDomain(domain: string): string | null {
  if (domain === "") return null;
  const subject = `$JS.${domain}.API.>`;
  if (!isValidSubject(subject) || /\s/.test(domain))
    return `invalid domain name: derived "${subject}" is not a valid subject`;
  if (/[.*>]/.test(domain)) return "invalid domain name: may not contain ., * or >";
  return RESERVED_DOMAINS.has(domain) ? `invalid domain name: "${domain}" is reserved` : null;
}

/** Why default domains are refused, in nats-server's words; null: they are not. */
function problemOfDomains(
  { jetStream: { defaultDomains }, accounts, operator }: SeenByJetStream,
  sheet: Sheet<FieldOf<SeenByJetStream>>,
): string | null {
  const byName = new Map(accounts.list.map((account) => [account.name, account]));
  for (const [name, domain] of Object.entries(defaultDomains)) {
    const account = byName.get(name);
    if (isSigned(operator)) {
      if (!isNkeyOf("account", name))
        return `default_js_domain contains account name "${name}", which is not a valid public account nkey`;
    } else if (account === undefined && name !== GLOBAL_ACCOUNT && sheet.knows("accounts.list"))
      return `in non operator mode, \`default_js_domain\` references non existing account "${name}"`;
    if (account !== undefined && account.jetStream !== null && domain !== "")
      return `default_js_domain contains account name "${name}" with enabled JetStream`;
    if (name === (accounts.system ?? SYSTEM_ACCOUNT))
      return `system account "${name}" can not be in default_js_domain`;
    if (domain !== "" && (!isValidSubject(`$JS.${domain}.API.>`) || RESERVED_DOMAINS.has(domain)))
      return `default_js_domain contains account "${name}" with invalid domain name "${domain}"`;
  }
  return null;
}
