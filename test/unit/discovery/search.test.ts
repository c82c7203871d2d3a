import { describe, expect, it } from "vitest";
import { fullNames, hostsAddresses, readSearchRules } from "../../../src/discovery/search.ts";

const pod =
  "search demo.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";

describe("the full names that a name may stand for", () => {
  it.each([
    [
      "of a pod, a short name",
      pod,
      "nats",
      "nats.demo.svc.cluster.local nats.svc.cluster.local nats.cluster.local nats",
    ],
    [
      "of a pod, a name with few dots",
      pod,
      "nats.demo.svc",
      "nats.demo.svc.demo.svc.cluster.local nats.demo.svc.svc.cluster.local nats.demo.svc.cluster.local nats.demo.svc",
    ],
    ["of a pod, an absolute name", pod, "nats.demo.svc.cluster.local.", "nats.demo.svc.cluster.local"],
    ["of a container without search domains", "nameserver 127.0.0.11\noptions ndots:0\n", "shoal", "shoal"],
    ["of a machine, a short name", "search lan.\n", "shoal", "shoal.lan shoal"],
    ["of a machine, a name with a dot", "search lan", "a.b", "a.b a.b.lan"],
    ["where domain stands for search", "domain lan\n", "a", "a.lan a"],
    ["where the last of several search lines counts", "search a\nsearch b c\n", "x", "x.b x.c x"],
    ["with comments", "# search a\nsearch b ; c\noptions rotate ndots:2 # ndots:9", "x.y", "x.y.b x.y"],
    ["without a file", "", "x", "x"],
  ])("%s", (_what, resolvConf, name, wanted) => {
    expect(fullNames(name, readSearchRules(resolvConf)).join(" ")).toBe(wanted);
  });
});

describe("the hosts file", () => {
  const hosts =
    "127.0.0.1 localhost\n# 10.0.0.9 nats\n10.0.0.1\tnats-0.nats  NATS # nats-1\nfd00::1 nats\nnonsense nats\n";

  it.each([
    ["nats", "10.0.0.1 fd00::1"],
    ["Nats.", "10.0.0.1 fd00::1"],
    ["nats-0.nats", "10.0.0.1"],
    ["nats-1", ""],
  ])("lists for %s: %s", (name, wanted) => expect(hostsAddresses(hosts, name).join(" ")).toBe(wanted));
});
