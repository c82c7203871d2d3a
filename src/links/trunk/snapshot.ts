/** What every connection shows of itself at one moment, as plain values; each kind adds its own. */
import type { Wire } from "../../transport/wire.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { Outbox } from "./outbox.ts";

export interface ConnectionSnapshot {
  readonly address: string;
  readonly port: number;
  readonly startedMs: number;
  readonly lastActivityMs: number;
  /** 0: not known yet. */
  readonly roundTripMs: number;
  readonly pendingBytes: number;
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

type Counted = Pick<
  ConnectionSnapshot,
  "startedMs" | "lastActivityMs" | "inMessages" | "outMessages" | "inBytes" | "outBytes"
>;

interface Shown extends Counted {
  readonly wire: Pick<Wire, "remote">;
  readonly heartbeat: Heartbeat;
  readonly outbox: Outbox;
}

export function connectionSnapshot(connection: Shown): ConnectionSnapshot {
  const { address, port } = connection.wire.remote;
  return {
    address,
    port,
    startedMs: connection.startedMs,
    lastActivityMs: connection.lastActivityMs,
    roundTripMs: connection.heartbeat.roundTripMs,
    pendingBytes: connection.outbox.pendingBytes,
    inMessages: connection.inMessages,
    outMessages: connection.outMessages,
    inBytes: connection.inBytes,
    outBytes: connection.outBytes,
  };
}
