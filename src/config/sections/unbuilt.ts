/**
 * What nats-server 2.15 knows in a configuration file or as a flag and shoal has no section for. The keys are named, so that a
 * file made for nats-server is answered with the missing feature rather than with "unknown". A feature that gets a section of its
 * own leaves this list.
 */
import type { Unsupported } from "../option.ts";

export const UNBUILT: readonly Unsupported[] = [
  { feature: "Gateways are", keys: ["gateway"] },
  { feature: "MQTT is", keys: ["mqtt"] },
  { feature: "Stapling and checking by OCSP are", keys: ["ocsp", "ocsp_cache"] },
  {
    feature: "Profiling is",
    keys: ["prof_port", "prof_block_rate"],
    flags: [{ name: "profile", isSwitch: false }],
  },
  { feature: "The PROXY protocol is", keys: ["proxy_protocol"] },
  { feature: "Feature flags are", keys: ["feature_flags"] },
];

/** Keys of options that concern nothing in shoal. */
export const WITHOUT_EFFECT: Readonly<Record<string, "bool" | "string">> = {
  disable_sublist_cache: "bool",
  no_sublist_cache: "bool",
};
