/** Handles folders and messages of an account that are found damaged: nothing is deleted, and the log names the damage. */
import { randomToken } from "../base/base62.ts";
import type { Disk } from "../store/disk.ts";
import { Ranges } from "../store/ranges.ts";
import type { AccountHost } from "./host.ts";

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

/** `stream`: its name. */
export function reportLost(host: Pick<AccountHost, "name" | "logger">, stream: string, lost: Ranges): void {
  if (lost.count === 0) return;
  host.logger.error("messages of a stream are damaged and known missing", {
    account: host.name,
    stream,
    count: lost.count,
    sequences: [...lost]
      .slice(0, RANGES_MAX)
      .map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)),
  });
}

/** Takes the sequences of messages that are found to be damaged while the server runs, and reports those of a turn in one line. */
export function damageLog(
  host: Pick<AccountHost, "name" | "logger" | "soon">,
  stream: string,
): (sequence: number) => void {
  let found = new Ranges();
  return (sequence) => {
    if (found.count === 0)
      host.soon(() => {
        reportLost(host, stream, found);
        found = new Ranges();
      });
    found.add(sequence, sequence);
  };
}
