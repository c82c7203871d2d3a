/** The page without a browser: its size, its policy, and what it makes of answers. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { bundlePage } from "../../../page/bundle.ts";
import { bytes, count, duration, milliseconds, short } from "../../../page/format.ts";
import { layOut } from "../../../page/layout.ts";
import {
  accountsOf,
  awaitedPeers,
  edgesOf,
  eventsOf,
  memberRates,
  readCluster,
  standing,
  type Cluster,
} from "../../../page/model.ts";
import { indexPage } from "../../../src/monitor/index-page.ts";

const COMPRESSED_MAX = 150 * 1024;

describe("the page", () => {
  it("is small, and the header allows its own script and style alone", async () => {
    const { html } = await bundlePage();
    expect(gzipSync(html).length).toBeLessThan(COMPRESSED_MAX);
    const { headers, body } = indexPage("/", html)();
    const policy = headers?.["Content-Security-Policy"] ?? "";
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    const text = [...body].join("");
    const inline = [...text.matchAll(/<(script|style)[^>]*>([\s\S]*?)<\/\1>/g)];
    expect(new Set(inline.map(([, tag]) => tag))).toEqual(new Set(["script", "style"]));
    for (const [, tag, code] of inline) {
      const hash = createHash("sha256").update(code!).digest("base64");
      expect(policy).toContain(`${tag}-src 'sha256-${hash}'`);
    }
    expect(text).toContain('href="./varz"');
    expect(text).not.toContain("<!--endpoints-->");
  });

  it("falls back to the list of endpoints, where no script runs at all", () => {
    const { headers, body } = indexPage("/a/b", null)();
    expect(headers?.["Content-Security-Policy"]).toContain("script-src 'none'");
    expect([...body].join("")).toContain('href="./b/varz"');
  });
});

function member(id: string, more: object = {}): object {
  const figures = { in_msgs: 0, out_msgs: 0, in_bytes: 0, out_bytes: 0, now_ms: 1000 };
  return {
    server_id: id,
    server_name: id.toLowerCase(),
    state: "ready",
    is_ready: true,
    ...figures,
    ...more,
  };
}

function route(remote_id: string, more: object = {}): object {
  const counters = { in_msgs: 0, out_msgs: 0, in_bytes: 0, out_bytes: 0 };
  return { remote_id, remote_name: remote_id, count: 3, rtt_ms: 1, pending: 0, ...counters, ...more };
}

function cluster(...members: object[]): Cluster {
  return readCluster({ server_id: "A", cluster: "c", members });
}

describe("what the page makes of answers", () => {
  it("members that tell nothing or nonsense with figures of 0, and no answer at all as an error", () => {
    const odd = { server_id: "B", server_name: "b", state: 7, is_ready: "yes", routes: [null], in_msgs: "1" };
    const { members } = cluster(member("A"), { ...odd, reasons: null, accounts: {} });
    expect(members[0]).toMatchObject({ server_id: "A", state: "ready", is_ready: true });
    const empty = { routes: [], reasons: [], accounts: [], in_msgs: 0 };
    expect(members[1]).toMatchObject({ server_id: "B", state: "silent", is_ready: false, ...empty });
    for (const answer of [null, [], {}, { members: {} }]) {
      expect(() => readCluster(answer)).toThrow("the answer has no members");
    }
  });

  it("rates, by differences; none for a server that was started again", () => {
    const before = cluster(member("A", { in_msgs: 100 }), member("B", { in_msgs: 900 }));
    const now = cluster(
      member("A", { in_msgs: 300, now_ms: 3000 }),
      member("B", { in_msgs: 5, now_ms: 3000 }),
      member("C"),
    );
    const rates = memberRates(now, before);
    expect(["A", "B", "C"].map((id) => rates.get(id)?.inMessages)).toEqual([100, 0, 0]);
  });

  it("an edge for two members, whoever tells of it, and none to strangers", () => {
    const before = cluster(member("A", { routes: [route("B")] }), member("B"));
    const now = cluster(
      member("A", { now_ms: 2000, routes: [route("B", { out_msgs: 50, in_msgs: 20 }), route("X")] }),
      member("B", { now_ms: 2000, routes: [route("A", { rtt_ms: 4 })] }),
    );
    expect(edgesOf(now, before)).toEqual([
      { key: "A B", from: "A", to: "B", rttMs: 4, pending: 0, routes: 3, there: 50, back: 20 },
    ]);
  });

  it("who is awaited, by whom, with the name that it had", () => {
    const peer = {
      server_id: "C",
      server_name: "",
      address: "h:1",
      seen_by: ["dns"],
      attempts: 2,
      why: "refused",
    };
    const seen = cluster(member("A", { awaited: [peer] }), member("B", { awaited: [peer] }));
    expect(awaitedPeers(seen, new Map([["C", "c"]]))).toEqual([
      { ...peer, server_name: "c", by: ["a", "b"], isMember: false },
    ]);
  });

  it.each([
    [{ state: "ready", is_ready: true }, "ready"],
    [{ state: "ready", is_ready: false }, "joining"],
    [{ state: "starting", is_ready: false }, "joining"],
    [{ state: "lame duck", is_ready: false }, "draining"],
    [{ state: "silent", is_ready: false }, "silent"],
  ])("the standing of %j is %s", (state, expected) => {
    expect(standing(cluster(member("A", state)).members[0]!)).toBe(expected);
  });

  it("events of the mesh once, others of all members, the latest first", () => {
    const event = (time: string, kind: string): object => ({
      time,
      event: kind,
      level: "info",
      text: kind,
      about: "",
      count: 1,
    });
    const seen = cluster(
      member("A", { events: [event("2026-01-01T00:00:01Z", "peer_joined")] }),
      member("B", {
        events: [
          event("2026-01-01T00:00:01Z", "peer_joined"),
          event("2026-01-01T00:00:02Z", "slow_consumer"),
        ],
      }),
    );
    expect(eventsOf(seen, 9).map(({ event: kind, server }) => `${kind} ${server}`)).toEqual([
      "slow_consumer b",
      "peer_joined a",
    ]);
    expect(eventsOf(seen, 1)).toHaveLength(1);
  });

  it("accounts of all members added up", () => {
    const account = {
      name: "$G",
      connections: 1,
      subscriptions: 2,
      in_msgs: 3,
      out_msgs: 4,
      in_bytes: 5,
      out_bytes: 6,
      slow_consumers: 7,
    };
    const seen = cluster(member("A", { accounts: [account] }), member("B", { accounts: [account] }));
    expect(accountsOf(seen)).toEqual([
      {
        name: "$G",
        connections: 2,
        subscriptions: 4,
        in_msgs: 6,
        out_msgs: 8,
        in_bytes: 10,
        out_bytes: 12,
        slow_consumers: 14,
      },
    ]);
  });
});

describe("the layout", () => {
  const frame = { width: 800, height: 500, radiusX: 300, radiusY: 200 };

  it("gives everybody a place of its own within the frame, a zone side by side", () => {
    const members = Array.from({ length: 50 }, (_, i) => ({
      key: `${i}`,
      name: `s-${i}`,
      zone: ["a", "b", "c"][i % 3]!,
    }));
    const { spots, arcs } = layOut(members, frame);
    expect(new Set([...spots.values()].map(({ x, y }) => `${x.toFixed(2)} ${y.toFixed(2)}`)).size).toBe(50);
    for (const { x, y } of spots.values()) {
      expect(x >= 100 && x <= 700 && y >= 50 && y <= 450).toBe(true);
    }
    expect(arcs.map(({ zone }) => zone)).toEqual(["a", "b", "c"]);
    for (const { key, zone } of members) {
      const arc = arcs.find((one) => one.zone === zone)!;
      const { angle } = spots.get(key)!;
      expect(angle >= arc.from && angle <= arc.to).toBe(true);
    }
  });

  it("puts a single server into the middle", () => {
    expect(layOut([{ key: "a", name: "a", zone: "z" }], frame).spots.get("a")).toMatchObject({
      x: 400,
      y: 250,
    });
  });
});

describe("figures", () => {
  it.each([
    [count(0), "0"],
    [count(0.4), "0.4"],
    [count(999), "999"],
    [count(1234), "1.2k"],
    [count(34_500_000), "34.5M"],
    [bytes(0), "0 B"],
    [bytes(2048), "2 KiB"],
    [milliseconds(0), "–"],
    [milliseconds(0.25), "250 µs"],
    [milliseconds(12.4), "12 ms"],
    [short("shoal-0", 7), "shoal-0"],
    [short("shoal-10", 7), "shoal-…"],
    [duration(0), "0s"],
    [duration(90_061_000), "1d 1h"],
  ])("%s", (shown, expected) => {
    expect(shown).toBe(expected);
  });
});
