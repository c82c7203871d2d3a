/** What a server has once it has started: where it listens, and its open views. Types alone, so that the rooms import no view. */
import type { Endpoints } from "../../monitor/endpoints.ts";
import type { Guard } from "../../monitor/guard.ts";
import type { MonitorHttp } from "../../monitor/http.ts";
import type { MonitorSource } from "../../monitor/source.ts";
import type { SystemService } from "../../system/service.ts";
import type { Endpoint } from "../../transport/wire.ts";

/** Where the server listens; null: not yet, or not at all. */
export interface ListeningAt {
  readonly client: Endpoint | null;
  /** Where the second listener listens. */
  readonly external: Endpoint | null;
  readonly cluster: Endpoint | null;
  readonly webSocket: Endpoint | null;
  readonly leafNodes: Endpoint | null;
}

/** null for a port that is not configured. */
export interface MonitorPorts extends Pick<MonitorHttp, "close" | "useCertificate"> {
  readonly monitorPort: number | null;
  readonly metricsPort: number | null;
  /** Connections to either that made room for newer ones, since the start. */
  readonly crowdedOut: () => number;
  readonly guard: Guard;
  readonly endpoints: Endpoints;
}

export interface SystemMembership {
  readonly source: MonitorSource;
  /** null where there is no system account. */
  readonly service: SystemService | null;
}
