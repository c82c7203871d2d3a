/**
 * What nats-server 2.15 knows in a configuration file or as a flag and shoal does not do yet. Named, so that a file made
 * for nats-server is answered with what is missing rather than with "unknown". A value that turns the feature off is fine.
 */

export const OPERATOR_MODE = "Operator mode";

/** Features that are several. */
const PLURALS: ReadonlySet<string> = new Set([
  "Feature flags",
  "Gateways",
  "Leaf nodes",
  "Stapling and checking by OCSP",
]);

export function notSupported(feature: string): string {
  return `${feature} ${PLURALS.has(feature) ? "are" : "is"} not supported by shoal yet`;
}

/** Keys with the feature that they belong to. */
export const UNSUPPORTED_KEYS: ReadonlyMap<string, string> = new Map([
  ...keys(OPERATOR_MODE, "default_sentinel"),
  ...keys("JetStream", "default_js_domain"),
  ...keys(
    "Encryption of streams",
    "jetstream.key",
    "jetstream.ek",
    "jetstream.encryption_key",
    "jetstream.cipher",
    "jetstream.prev_key",
    "jetstream.prev_ek",
    "jetstream.prev_encryption_key",
    "jetstream.tpm",
  ),
  ...keys(
    "Limits of JetStream",
    "jetstream.limits",
    "jetstream.max_buffered_size",
    "jetstream.max_buffered_msgs",
  ),
  ...keys("Limits of JetStream", "jetstream.request_queue_limit", "jetstream.info_queue_limit"),
  ...keys("Limits of JetStream", "jetstream.max_concurrent_io"),
  ...keys(
    "JetStream in clusters",
    "jetstream.unique_tag",
    "jetstream.extension_hint",
    "jetstream.max_outstanding_catchup",
    "jetstream.meta_compact",
    "jetstream.meta_compact_size",
    "jetstream.meta_compact_sync",
  ),
  ...keys("Leaf nodes", "leaf", "leafnodes"),
  ...keys("Gateways", "gateway"),
  ...keys("WebSocket", "websocket", "ws"),
  ...keys("MQTT", "mqtt"),
  ...keys("Stapling and checking by OCSP", "ocsp", "ocsp_cache"),
  ...keys(OPERATOR_MODE, "operator", "operators", "root", "roots", "root_operator", "root_operators"),
  ...keys(
    OPERATOR_MODE,
    "resolver",
    "account_resolver",
    "accounts_resolver",
    "resolver_tls",
    "resolver_preload",
  ),
  ...keys(OPERATOR_MODE, "resolver_pinned_accounts", "trusted", "trusted_keys"),
  ...keys("Profiling", "prof_port", "prof_block_rate"),
  ...keys("The PROXY protocol", "proxy_protocol"),
  ...keys("A token for routes", "cluster.authorization.token"),
  ...keys("A list of users for routes", "cluster.authorization.users"),
  ...keys("Authorization of routes by callout", "cluster.authorization.auth_callout"),
  ...keys("Authorization of routes by callout", "cluster.authorization.auth_hook"),
  ...keys("A choice of what happens at the write deadline", "write_timeout", "cluster.write_timeout"),
  ...keys("Feature flags", "feature_flags"),
]);

/**
 * Keys that are taken, with the kind of their value, and change nothing: in nats-server neither, or what they concern is not there.
 * No warning, since a check of the file (-t) takes those for errors.
 */
export const KEYS_WITHOUT_EFFECT: ReadonlyMap<string, "bool" | "string"> = new Map([
  ["cluster.authorization.proxy_required", "bool"],
  ["disable_sublist_cache", "bool"],
  ["no_sublist_cache", "bool"],
]);

/** Flags, with the feature and whether they are a switch (which may be turned off with =false). */
export const UNSUPPORTED_FLAGS: ReadonlyMap<
  string,
  { readonly feature: string; readonly isSwitch: boolean }
> = new Map([...flags("Profiling", false, "profile")]);

/** Values that ask for what shoal does without the feature. */
export const USUAL_VALUES: ReadonlyMap<string, string> = new Map([
  ["write_timeout", "close"],
  ["cluster.write_timeout", "close"],
]);

/** Words that turn a feature off. */
export const OFF_WORDS: ReadonlySet<string> = new Set(["disabled", "disable", "default"]);

function keys(feature: string, ...names: readonly string[]): [string, string][] {
  return names.map((name) => [name, feature]);
}

function flags(
  feature: string,
  isSwitch: boolean,
  ...names: readonly string[]
): [string, { feature: string; isSwitch: boolean }][] {
  return names.map((name) => [name, { feature, isSwitch }]);
}
