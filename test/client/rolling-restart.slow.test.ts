/**
 * A rolling restart of three servers, by SIGTERM and under load of official clients with their default settings: what must not
 * happen. How much is lost by those who move, and how it is with nats-server, is measured by bench/rolling.
 */
import { join } from "node:path";
import { expect, it } from "vitest";
import { rollingRestart } from "../../bench/rolling/restart.ts";

it("loses nothing between those who stay, moves each client once, fails no request twice", async () => {
  const servers = {
    command: process.env["SHOAL_BIN"] ?? join(import.meta.dirname, "../../bin/shoal"),
    signal: "SIGTERM",
    lines: ['lame_duck_duration: "4s"', 'lame_duck_grace_period: "500ms"'],
  } as const;
  const figures = await rollingRestart(servers, 200);
  expect(figures).toMatchObject({
    lostByStaying: 0,
    // A message of a publisher that moved arrives at all who stayed, or was never sent.
    lostUnevenly: 0,
    doubled: 0,
    movesMax: 1,
    requestsFailed: 0,
    ended: ["code 0", "code 0", "code 0"],
  });
  // Else there was no load, or nobody had to move.
  expect(figures.published).toBeGreaterThan(1000);
  expect(figures.requests).toBeGreaterThan(300);
  expect(figures.moves).toBeGreaterThanOrEqual(figures.clients);
}, 120_000);
