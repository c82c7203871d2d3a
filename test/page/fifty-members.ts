/** A cluster of 50 in three zones with traffic, as `/clusterz` would tell of it: answered in the browser, since no machine of a test runs so many. */
import type { Page } from "playwright-core";

const SIZE = 50;

export async function fiftyMembers(page: Page): Promise<void> {
  let asked = 0;
  await page.route("**/clusterz", (route) => route.fulfill({ json: answer(asked++) }));
}

function answer(asked: number): object {
  const members = Array.from({ length: SIZE }, (_, i) => member(i, asked));
  return { server_id: id(0), cluster: "fifty", members };
}

const lameDuck = {
  ...{ time: "2026-09-21T13:46:30Z", event: "lame_duck", level: "info", count: 1, about: "" },
  text: "Entering lame duck mode, stop accepting new clients",
};

const id = (i: number): string => `N${String(i).padStart(3, "0")}`;

function member(i: number, asked: number): object {
  const step = asked * 1500;
  const rate = 2000 + ((i * 370) % 9000);
  const counters = (factor: number): object => ({
    in_msgs: Math.round((step / 1000) * rate * factor),
    out_msgs: Math.round((step / 1000) * rate * factor * 1.6),
    in_bytes: Math.round((step / 1000) * rate * factor * 128),
    out_bytes: Math.round((step / 1000) * rate * factor * 205),
  });
  const isDraining = i === 7;
  const isJoining = i === 23;
  return {
    ...counters(1),
    server_id: id(i),
    server_name: `shoal-${i}`,
    kind: "shoal",
    version: "0.1.0",
    zone: `eu-${"abc"[i % 3]}`,
    now_ms: 1_790_000_000_000 + step,
    uptime_ms: 86_400_000 + step,
    state: isDraining ? "lame duck" : "ready",
    is_ready: !isDraining && !isJoining,
    reasons: isDraining
      ? ["the server is in lame duck mode"]
      : isJoining
        ? ["discovery has not answered yet"]
        : [],
    missing: [],
    awaited: [],
    routes: Array.from({ length: SIZE }, (_, j) => j)
      .filter((j) => j !== i)
      .map((j) => ({
        remote_id: id(j),
        remote_name: `shoal-${j}`,
        count: 4,
        rtt_ms: i % 3 === j % 3 ? 0.4 : 1.7,
        pending: 0,
        ...counters((i + j) % 11 === 0 ? 0.1 : 0.01),
      })),
    accounts: [],
    events: isDraining ? [lameDuck] : [],
    mem: 180_000_000 + i * 1_000_000,
    cpu: 12 + (i % 7),
    cores: 2,
    connections: 180 + ((i * 53) % 90),
    subscriptions: 700 + ((i * 31) % 200),
    slow_consumers: 0,
    stalled_clients: 0,
  };
}
