/** What a reload makes of a new configuration, and what of it a log shows. */
import { describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../../src/config/config.ts";
import { shownChange } from "../../../src/config/diff.ts";
import { effectiveConfig } from "../../../src/config/effective.ts";
import { defaultConfig } from "../../../src/config/finish.ts";

function change(before: ConfigOverrides, after: ConfigOverrides): ReturnType<typeof effectiveConfig> {
  return effectiveConfig(defaultConfig(before), defaultConfig(after));
}

const keysOf = (changes: readonly { readonly key: string }[]): string[] => changes.map(({ key }) => key);

describe("the effective configuration", () => {
  it("is the one from before where nothing has changed", () => {
    const before = defaultConfig({ log: { debug: true } });
    expect(effectiveConfig(before, defaultConfig({ log: { debug: true } }))).toEqual({
      config: before,
      live: [],
      waiting: [],
    });
  });

  it("keeps what only a restart can change", () => {
    const { config, live, waiting } = change(
      { client: { port: 1 }, server: { name: "old" } },
      { client: { port: 2, maxPayloadBytes: 100 }, server: { name: "new", tags: ["a"] } },
    );
    expect(config.client).toMatchObject({ port: 1, maxPayloadBytes: 100 });
    expect(config.server).toMatchObject({ name: "old", tags: ["a"] });
    expect(keysOf(live)).toEqual(["server_tags", "max_payload"]);
    expect(keysOf(waiting)).toEqual(["server_name", "port"]);
  });

  it("is refused where options that change do not go together with others that wait", () => {
    const monitor = (port: number | null, httpsPort: number | null): ConfigOverrides["monitor"] => ({
      port,
      httpsPort,
    });
    const tls = { certificates: [{ certFile: "a", keyFile: "b" }] } as never;
    expect(() =>
      change(
        { client: { tls }, monitor: monitor(null, 1) },
        { client: { tls: null }, monitor: monitor(1, null) },
      ),
    ).toThrow("https needs a tls block");
  });
});

describe("what a log shows of a change", () => {
  const shown = (before: ConfigOverrides, after: ConfigOverrides): unknown => {
    const [old, now] = [defaultConfig(before), defaultConfig(after)];
    return effectiveConfig(old, now).live.map((one) => shownChange(one, old, now));
  };
  const user = (name: string, password: string): never =>
    ({ user: name, password, permissions: null, connectionTypes: [] }) as never;

  it("has values, but none of secrets", () => {
    expect(shown({}, { client: { maxControlLineBytes: 7 } })).toEqual([{ before: 4096, after: 7 }]);
    expect(shown({ server: { tags: ["a"] } }, { server: { tags: ["b"] } })).toEqual([
      { before: ["a"], after: ["b"] },
    ]);
    expect(shown({ authorization: { token: "geheim" } }, {})).toEqual([
      { before: "[REDACTED]", after: null },
    ]);
    const text = JSON.stringify(
      shown(
        { cluster: { user: "u-old", password: "p-old" }, monitor: { token: "t-old" } },
        { cluster: { user: "u-new", password: "p-new" }, monitor: { token: "t-new" } },
      ),
    );
    expect(text).not.toMatch(/-old|-new/);
  });

  it("has names of users and hosts of routes, without passwords", () => {
    const lists = shown(
      {
        authorization: { users: [user("ann", "x-1"), user("bob", "x-2"), user("cid", "x-3")] },
        cluster: { port: 1, routes: [{ host: "a", port: 1, user: "u", password: "x-4" }] },
      },
      {
        authorization: { users: [user("bob", "x-5"), user("cid", "x-3"), user("dan", "x-6")] },
        cluster: { port: 1, routes: [{ host: "b", port: 2, user: "u", password: "x-4" }] },
      },
    );
    expect(lists).toEqual([
      { added: ["dan"], removed: ["ann"], changed: ["bob"] },
      { added: ["b:2"], removed: ["a:1"], changed: [] },
    ]);
  });

  it("is empty for a block", () => {
    expect(shown({}, { cluster: { permissions: { import: null, export: null } } })).toEqual([{}]);
  });
});
