/** Leaf nodes and domains in the configuration: what is refused, with its name. */
import { describe, expect, it } from "vitest";
import { configOf, errorsOf } from "./sources.ts";

const remote = (keys: string): string => `leafnodes { remotes: [{ url: "nats-leaf://a:7422", ${keys} }] }`;

describe("leaf nodes in the configuration", () => {
  it.each([
    [remote(`proxy { url: "http://p:80" }`), "proxy"],
    [remote("jetstream_cluster_migrate: true"), "jetstream_cluster_migrate"],
    [remote("js_cluster_migrate: true"), "js_cluster_migrate"],
    ["leafnodes { write_timeout: close }", "write_timeout"],
    [remote(`nkey: "x"`), "seed of an nkey"],
    [remote("account: NOBODY"), 'cannot find local account "NOBODY" specified in leafnode remote'],
    [
      `leafnodes { remotes: [{ urls: ["ws://a", "nats://b"] }] }`,
      "cannot have a mix of websocket and non-websocket urls",
    ],
    ["leafnodes { min_version: 2.7.0 }", "the minimum version should be at least 2.8.0"],
  ])("refuses %s", (text, words) => {
    expect(errorsOf({ files: { "s.conf": text } }).join("\n")).toContain(words);
  });
});

describe("domains in the configuration", () => {
  const accounts = "accounts { A { jetstream: enabled }, B {} }";

  it.each([
    [`jetstream { domain: "a.b" }`, "may not contain ., * or >"],
    ["jetstream { domain: ACK }", '"ACK" is reserved'],
    [`jetstream { domain: "a b" }`, "is not a valid subject"],
    [
      `${accounts}\ndefault_js_domain { A: hub }`,
      'default_js_domain contains account name "A" with enabled JetStream',
    ],
    [`${accounts}\ndefault_js_domain { C: hub }`, '`default_js_domain` references non existing account "C"'],
    [`default_js_domain { "$SYS": hub }`, "default_js_domain"],
    [`${accounts}\ndefault_js_domain { B: FC }`, 'account "B" with invalid domain name "FC"'],
  ])("refuses %s", (text, words) => {
    expect(errorsOf({ files: { "s.conf": text } }).join("\n")).toContain(words);
  });

  it("takes a default domain, and the empty one", () => {
    const text = `${accounts}\ndefault_js_domain { A: "", B: hub }`;
    expect(configOf({ files: { "s.conf": text } }).jetStream.defaultDomains).toEqual({ A: "", B: "hub" });
  });
});
