/** What is done about folders and messages of an account that a start finds damaged: nothing is deleted, and the log names it. */
import { randomToken } from "../base/base62.ts";
import type { Disk } from "../store/disk.ts";
import type { AccountHost } from "./host.ts";
import type { Stream } from "./stream/stream.ts";

/** Ranges of lost messages that one log line names. */
const RANGES_MAX = 20;

interface NotUnderstood {
  readonly disk: Disk;
  /** The account's. */
  readonly folder: string;
  readonly path: string;
  /** Begins its new name. */
  readonly name: string;
}

/** Moves a folder into the quarantine and returns its new path. */
export function putAside(host: AccountHost, { disk, folder, path, name }: NotUnderstood): string {
  const to = `${folder}/quarantine/${name}-${randomToken(host.random)}`;
  disk.makeFolder(`${folder}/quarantine`);
  disk.rename(path, to);
  host.logger.error("a folder of JetStream cannot be understood: it was put aside, nothing was deleted", {
    account: host.name,
    path,
    movedTo: to,
  });
  return to;
}

export function reportPositions(host: AccountHost, stream: string): void {
  host.logger.error("the positions of sources of a stream are damaged: only what its messages say is known", {
    account: host.name,
    stream,
  });
}

export function reportLost(host: AccountHost, { config, store }: Stream): void {
  if (store.lost.count === 0) return;
  host.logger.error("messages of a stream are damaged and known missing", {
    account: host.name,
    stream: config.name,
    count: store.lost.count,
    sequences: [...store.lost]
      .slice(0, RANGES_MAX)
      .map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)),
  });
}
