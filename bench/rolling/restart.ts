/**
 * A rolling restart of three servers under load: each leaves, comes back under its name, and the next one follows once the three
 * are connected again.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Load, type LoadFigures } from "./load.ts";
import { Members, type Servers } from "./members.ts";

export interface RestartFigures extends LoadFigures {
  readonly clients: number;
  /** Of each member, from the signal to its end. */
  readonly leaveMs: readonly number[];
  /** Exit codes, or signals that ended it. */
  readonly ended: readonly string[];
}

/** Before and after each restart. */
const CALM_MS = 500;

/** `rate`: messages a second of each of the three publishers. */
export async function rollingRestart(servers: Servers, rate: number): Promise<RestartFigures> {
  await using members = await Members.start(servers);
  await using load = await Load.start(members.urls, rate);
  const left: { tookMs: number; how: string }[] = [];
  for (const index of members.urls.keys()) {
    await delay(CALM_MS);
    await load.during(async () => {
      left.push(await members.leave(index));
      members.begin(index);
      await members.whole();
    });
  }
  await delay(CALM_MS);
  const figures = await load.finish();
  return {
    ...figures,
    clients: load.clients,
    leaveMs: left.map(({ tookMs }) => tookMs),
    ended: left.map(({ how }) => how),
  };
}
