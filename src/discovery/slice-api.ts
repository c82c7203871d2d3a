/** The API of Kubernetes as the source of peers uses it; kubernetes.ts implements it, and tests do. */
import type { EndpointSlice } from "./endpoint-slices.ts";

export interface SliceApi {
  readonly namespace: string;
  list(signal: AbortSignal): Promise<ListedSlices>;
  /** From a version on, until the API server ends it. */
  watch(version: string, watcher: SliceWatcher, signal: AbortSignal): Promise<void>;
}

export interface SliceWatcher {
  /** The API server has accepted the watch. */
  onOpen(): void;
  onEvent(event: SliceEvent): void;
}

export interface ListedSlices {
  readonly version: string | undefined;
  readonly slices: readonly EndpointSlice[];
}

interface SliceEvent {
  /** ADDED, MODIFIED, DELETED, BOOKMARK, ERROR. */
  readonly type: string;
  /** For an ERROR: a Status with a `code`. */
  readonly object: EndpointSlice;
}
