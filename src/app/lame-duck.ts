/** Lets clients go: after a grace period they are closed one by one, spread over the duration, so that they do not all arrive elsewhere at once. */
import { setTimeout as delay } from "node:timers/promises";
import type { ClientPort } from "./client-port.ts";

export interface DrainOptions {
  /** From the start of lame duck until the last client is closed. */
  readonly durationMs: number;
  /** Until the first client is closed. */
  readonly gracePeriodMs: number;
}

/** At most so many steps a second: clients of one step are closed together. */
const STEP_MS = 10;
/** Few clients do not have to wait for one another longer than this. */
const PAUSE_MAX_MS = 1000;

export async function drainClients(clients: ClientPort, options: DrainOptions): Promise<void> {
  if (clients.sessions.size === 0) return;
  await delay(Math.min(options.gracePeriodMs, options.durationMs));
  const spreadMs = Math.max(STEP_MS, options.durationMs - options.gracePeriodMs);
  const steps = Math.ceil(spreadMs / STEP_MS);
  const perStep = Math.max(1, Math.ceil(clients.sessions.size / steps));
  const pauses = Math.ceil(clients.sessions.size / perStep);
  const pauseMs = Math.min(PAUSE_MAX_MS, Math.max(STEP_MS, spreadMs / pauses));
  while (clients.sessions.size > 0) {
    for (const session of [...clients.sessions.values()].slice(0, perStep)) session.close("Server Shutdown");
    if (clients.sessions.size > 0) await delay(pauseMs);
  }
}
