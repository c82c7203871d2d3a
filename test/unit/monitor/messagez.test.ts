/** `/messagez`: how often it answers. What it answers is tried at a server. */
import { describe, expect, it } from "vitest";
import { messagez, RequestBudget } from "../../../src/monitor/messagez.ts";
import { Query } from "../../../src/monitor/query.ts";
import type { MonitorSource } from "../../../src/monitor/source.ts";
import { Turns } from "../../../src/monitor/turns.ts";

describe("requests for messages", () => {
  it("are answered twenty at once, and ten more in each second", () => {
    const budget = new RequestBudget();
    const taken = (nowMs: number): number => {
      let count = 0;
      while (budget.take(nowMs)) count++;
      return count;
    };
    expect([taken(1000), taken(1000), taken(1100), taken(2100), taken(60_000)]).toEqual([20, 0, 1, 10, 20]);
    expect(taken(50_000)).toBe(0); // the clock was set back
  });

  it("beyond that are refused, and told when to ask again", async () => {
    const source = {
      showsMessages: () => true,
      nowMs: () => 1000,
      jetStream: () => null,
    } as unknown as MonitorSource;
    const budget = new RequestBudget();
    const ask = async (): Promise<number> => {
      const { status, headers } = await messagez(source, new Query("stream=S"), new Turns(), budget);
      expect(headers?.["Retry-After"]).toBe(status === 429 ? "1" : undefined);
      return status;
    };
    const seen: number[] = [];
    for (let i = 0; i < 21; i++) seen.push(await ask());
    expect(seen).toEqual([...Array.from({ length: 20 }, () => 404), 429]);
  });
});
