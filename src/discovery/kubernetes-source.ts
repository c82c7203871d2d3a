/**
 * The EndpointSlices of a service as a source of peers: lists them once, then follows every change.
 *
 *     open --> list --> watch from the list's version --ended, broken--> watch from the last version seen
 *      ^         ^        |                                                |
 *      |         +--------+------- 410: that version is too old -----------+
 *      +---- after a failure, with backoff: credentials are read again ----+
 *
 * Invariant: peers are kept while the API server cannot be reached or refuses; they go only when it says so. The log gets one line when
 * the API server begins to fail, one for each other reason, and one when it is back.
 */
import { assert } from "../base/assert.ts";
import { backoffDelayMs, type BackoffOptions } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { DiscoveredPeer, DiscoverySource, SourceOrigin, SourceSnapshot } from "./discovery.ts";
import { peersOf, type EndpointSlice } from "./endpoint-slices.ts";
import type { SliceApi, SliceWatcher } from "./slice-api.ts";

export interface KubernetesSourceOptions {
  readonly service: string;
  /** null: the pod's own. */
  readonly namespace: string | null;
  readonly portName: string;
  /** The route port of this server. */
  readonly defaultPort: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Delays after failures; the longest is slow, since routes and DNS continue to work. */
const BACKOFF: BackoffOptions = { baseMs: 1000, maxMs: 60_000, factor: 2, jitter: 0.5 };
/** A watch that ends sooner without an event counts as a failure, so that a failing API server is not asked in a tight loop. */
const SHORT_WATCH_MS = 1000;
/** Each has up to 100 endpoints. */
const SLICES_MAX = 1024;
const GONE = 410;

export class KubernetesSource implements DiscoverySource {
  readonly name = "kubernetes";
  private readonly options: KubernetesSourceOptions;
  private report: ((peers: readonly DiscoveredPeer[], origin: SourceOrigin) => void) | null = null;
  private readonly ended = new AbortController();
  private timer: Disposable | null = null;
  private api: SliceApi | null = null;
  private readonly slices = new Map<string, EndpointSlice>();
  /** To watch from; "": list first. */
  private version = "";
  private peers: readonly DiscoveredPeer[] | null = null;
  private failuresInRow = 0;
  private lookups = 0;
  private failures = 0;
  private answeredMs: number | null = null;
  private lastError: string | null = null;
  private hasShown = false;

  constructor(options: KubernetesSourceOptions) {
    this.options = options;
  }

  watch(onPeers: (peers: readonly DiscoveredPeer[], origin: SourceOrigin) => void): Disposable {
    this.report = onPeers;
    void this.run();
    return {
      [Symbol.dispose]: () => {
        this.report = null;
        this.timer?.[Symbol.dispose]();
        this.ended.abort();
      },
    };
  }

  snapshot(): SourceSnapshot {
    const { name, lookups, failures, answeredMs, lastError, hasShown } = this;
    return { name, peers: this.peers ?? [], lookups, failures, answeredMs, lastError, hasShown };
  }

  private async run(): Promise<void> {
    const { clock, random } = this.options;
    for (;;) {
      try {
        await this.follow();
      } catch (error) {
        if (!this.ended.signal.aborted) this.failed(error);
      }
      if (this.ended.signal.aborted) return;
      const delayMs =
        this.failuresInRow === 0
          ? (BACKOFF.baseMs / 10) * random.next()
          : backoffDelayMs(BACKOFF, this.failuresInRow, random);
      await new Promise<void>((resolve) => (this.timer = clock.setTimer(delayMs, resolve)));
    }
  }

  /** One watch, with a list before it where there is no version to go on from. */
  private async follow(): Promise<void> {
    const { clock, service, namespace } = this.options;
    const { signal } = this.ended;
    this.lookups++;
    this.api ??= (await import("./kubernetes.ts")).openSliceApi(service, namespace);
    if (this.version === "") await this.list(this.api, signal);
    const sinceMs = clock.nowMs();
    const versionBefore = this.version;
    const errors: Error[] = [];
    const watcher: SliceWatcher = {
      onOpen: () => (this.timer = clock.setTimer(SHORT_WATCH_MS, () => this.answered())),
      onEvent: ({ type, object }) => {
        if (type === "ERROR") errors[0] ??= watchError(object);
        else this.take(type, object);
      },
    };
    try {
      await this.api.watch(this.version, watcher, signal);
    } finally {
      this.timer?.[Symbol.dispose]();
    }
    if (errors[0] !== undefined) throw errors[0];
    if (this.version === versionBefore && clock.nowMs() - sinceMs < SHORT_WATCH_MS) {
      throw new Error("a watch ended as soon as it had begun");
    }
    this.answered();
  }

  private async list(api: SliceApi, signal: AbortSignal): Promise<void> {
    const { version, slices } = await api.list(signal);
    if (!Array.isArray(slices) || version === undefined || version === "") {
      throw new Error("the answer is not a list of EndpointSlices");
    }
    if (this.report === null) return;
    this.slices.clear();
    for (const slice of slices as readonly EndpointSlice[]) this.keep(slice);
    this.version = version;
    this.heard();
    if (this.slices.size === 0) {
      const { service } = this.options;
      this.options.logger.warn("Kubernetes knows no EndpointSlices of this service (yet)", {
        service,
        namespace: api.namespace,
      });
    }
    this.tell();
  }

  private take(type: string, object: EndpointSlice): void {
    const version = object?.metadata?.resourceVersion;
    if (this.report === null || typeof version !== "string" || version === "") return;
    this.version = version;
    this.answered();
    if (type === "ADDED" || type === "MODIFIED") this.keep(object);
    else if (type === "DELETED") this.slices.delete(object.metadata?.name ?? "");
    if (type !== "BOOKMARK") this.tell();
  }

  private keep(slice: EndpointSlice): void {
    const name = slice?.metadata?.name;
    if (name === undefined || (this.slices.size >= SLICES_MAX && !this.slices.has(name))) return;
    this.slices.set(name, slice);
  }

  private tell(): void {
    assert(this.lastError === null, "peers change only by what the API server has said");
    const namespace = this.api?.namespace ?? "";
    const peers = peersOf(this.slices.values(), { ...this.options, namespace });
    if (this.peers !== null && JSON.stringify(peers) === JSON.stringify(this.peers)) return;
    this.peers = peers;
    this.hasShown ||= peers.length > 0;
    this.report?.(peers, "discovered");
  }

  /** The watch works. */
  private answered(): void {
    this.failuresInRow = 0;
    this.heard();
  }

  private heard(): void {
    this.answeredMs = this.options.clock.nowMs();
    if (this.lastError === null) return;
    this.lastError = null;
    this.options.logger.info("Kubernetes tells of other servers again", { service: this.options.service });
  }

  private failed(error: unknown): void {
    this.failures++;
    this.failuresInRow++;
    const status = statusOf(error);
    if (status === GONE) {
      this.version = "";
      return;
    }
    this.api = null;
    const reason = reasonOf(error, status);
    if (reason === this.lastError) return;
    this.lastError = reason;
    this.options.logger.warn(`Kubernetes does not tell of other servers: ${reason}`, {
      service: this.options.service,
      hint:
        status === 401 || status === 403
          ? "the service account needs list and watch of endpointslices (discovery.k8s.io): see docs/kubernetes.md"
          : "routes and names in DNS go on being used; it is asked again and again",
    });
  }
}

/** An ERROR in a watch is a Status, with a code as of HTTP. */
function watchError(status: unknown): Error {
  return Object.assign(new Error("a watch was broken off"), {
    code: (status as { code?: unknown } | null)?.code,
  });
}

function statusOf(error: unknown): number | undefined {
  const { code, statusCode } = (error ?? {}) as { readonly code?: unknown; readonly statusCode?: unknown };
  const isStatus = (value: unknown): value is number =>
    typeof value === "number" && value >= 100 && value < 600;
  return [code, statusCode].find(isStatus);
}

/** Short and without secrets: no headers and no text from the API server. */
function reasonOf(error: unknown, status: number | undefined): string {
  if (status !== undefined) return `its API server answers with HTTP status ${status}`;
  if (!(error instanceof Error)) return "its API server cannot be reached";
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = (cause as { readonly code?: unknown }).code;
  return typeof code === "string"
    ? `its API server cannot be reached (${code})`
    : cause.message.slice(0, 200);
}
