/** Takes a stream out of the hands of this server alone: the same store is opened again as the copy of a group. */
import type { StreamStore } from "../store/stream-store.ts";
import type { Assets, StreamAssets } from "./assets.ts";

/** Returns its store, which stays open. Its consumers have ended. */
export function releaseStream(assets: Assets, there: StreamAssets): StreamStore {
  const { stream, origins } = there;
  origins.stop();
  assets.streams.delete(stream.config.name);
  assets.forget(there);
  stream.stop("keeps its store");
  assets.onChanged(there);
  return stream.store;
}
