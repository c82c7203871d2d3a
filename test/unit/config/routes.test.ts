/** Routes whose host is a name, by what is looked up. */
import { describe, expect, it } from "vitest";
import { configOf, errorsOf } from "./sources.ts";

const fileOf = (url: string): { files: Record<string, string> } => ({
  files: { "a.conf": `cluster { port: 1, routes: ["${url}"] }` },
});

describe("a route", () => {
  it.each([
    ["nats://shoal:6222", { host: "shoal", port: 6222, user: null, password: null }],
    ["nats://u:p@[fd00::1]:6222", { host: "fd00::1", port: 6222, user: "u", password: "p" }],
    ["tls://shoal:6222", { host: "shoal", port: 6222, user: null, password: null }],
    ["TLS://u:p@shoal:6222", { host: "shoal", port: 6222, user: "u", password: "p" }],
    ["nats://u:p@ss@shoal:6222", { host: "shoal", port: 6222, user: "u", password: "p@ss" }],
    ["dns+srv://shoal", { host: "shoal", port: null, records: "srv", user: null, password: null }],
    ["dns+srv://u:p@shoal:6222/", { host: "shoal", port: 6222, records: "srv", user: "u", password: "p" }],
    [
      "nats://_cluster._tcp.shoal",
      { host: "_cluster._tcp.shoal", port: null, records: "srv", user: null, password: null },
    ],
    [
      "_cluster._tcp.shoal:6222",
      { host: "_cluster._tcp.shoal", port: 6222, records: "srv", user: null, password: null },
    ],
  ])("%s is read", (url, wanted) => {
    expect(configOf(fileOf(url)).cluster.routes).toEqual([wanted]);
  });

  it.each([
    "nats://shoal",
    "dns+srv://",
    "dns+srv://shoal:0",
    "dns+srv://shoal:",
    "srv://shoal:1",
    "other://u:p@shoal:1",
  ])("%s is refused", (url) => expect(errorsOf(fileOf(url))).toHaveLength(1));
});
