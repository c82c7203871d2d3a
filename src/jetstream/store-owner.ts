/**
 * Whose a store is: the server and the cluster that keep streams in it, and whether its journal knows every group that this server has
 * ever been a member of. A server that took the store of another one would vote under a name whose votes it does not know, and one that
 * left its cluster would change copies of streams that others keep as well. A server that kept streams by itself may become one of a
 * cluster, to which it offers them (`offers.ts`).
 *
 *     %owner.json    beside the folders of accounts, none of which is called so
 */
import type { Disk } from "../store/disk.ts";
import { OFFERED_FOLDER } from "./offers.ts";

const FILE = "%owner.json";
const STREAMS_FOLDER = "streams";
/** What lies beside the folders of accounts begins as none of them can, whose names are encoded as in a URL. */
const ACCOUNT = /^(?!%(?![0-9A-F]{2}))/;

/** The server, and its cluster; "": it belongs to none. */
export interface Owner {
  readonly server: string;
  readonly cluster: string;
}

/** The server may not use the store. */
class StoreRefused extends Error {}

export class StoreOwner {
  /** The journal knows all groups that this server is or was a member of: of a group that is not in it, it has kept nothing. */
  isWhole: boolean;
  /** Streams that the server kept by itself until now, as account/stream: its cluster is to take them over. */
  readonly offered: readonly string[];
  private readonly disk: Disk;
  private readonly path: string;
  private readonly owner: Owner;

  private constructor(
    disk: Disk,
    path: string,
    { isWhole, ...owner }: Owner & { readonly isWhole: boolean },
    offered: readonly string[] = [],
  ) {
    this.disk = disk;
    this.path = path;
    this.owner = owner;
    this.isWhole = isWhole;
    this.offered = offered;
  }

  /** null: the server belongs to no cluster. `disk`: nothing of it is open. Throws `StoreRefused`, `DiskError`. */
  static claim(disk: Disk, folder: string, owner: Owner): StoreOwner | null {
    const path = `${folder}/${FILE}`;
    const known = read(disk, path);
    const isKept = known !== null;
    if (owner.cluster === "") {
      if (isKept)
        throw new StoreRefused(
          `the store in ${folder} belongs to the server ${known.server} of the cluster ${known.cluster}, which keeps streams together with others: ` +
            "start it as a server of that cluster, or with another store_dir",
        );
      moveStreams(disk, folder, { from: OFFERED_FOLDER, to: STREAMS_FOLDER }); // no cluster has begun to take them over
      return null;
    }
    if (isKept) {
      if (known.server !== owner.server || known.cluster !== owner.cluster)
        throw new StoreRefused(
          `the store in ${folder} belongs to the server ${known.server} of the cluster ${known.cluster}, and this is the server ${owner.server} ` +
            `of the cluster ${owner.cluster}: give it the names that it had, or another store_dir`,
        );
      return new StoreOwner(disk, path, known);
    }
    // a cluster knows nothing of streams that a server kept by itself before
    const offered = moveStreams(disk, folder, { from: STREAMS_FOLDER, to: OFFERED_FOLDER });
    const made = new StoreOwner(disk, path, { ...owner, isWhole: false }, offered);
    made.write();
    return made;
  }

  /** Every group that this server is a member of is in the journal from here on. Throws `DiskError`. */
  becomeWhole(): void {
    if (this.isWhole) return;
    this.isWhole = true;
    this.write();
  }

  private write(): void {
    const { owner, isWhole } = this;
    this.disk.replace(this.path, Buffer.from(`${JSON.stringify({ ...owner, isWhole }, null, 1)}\n`, "utf8"));
  }
}

/** Returns those that were moved, as account/stream. One that is there already stays. Throws `DiskError`. */
function moveStreams(
  disk: Disk,
  folder: string,
  { from, to }: { readonly from: string; readonly to: string },
): string[] {
  const moved: string[] = [];
  for (const account of disk.names(folder)) {
    if (!ACCOUNT.test(account)) continue;
    const streams = disk.names(`${folder}/${account}/${from}`);
    if (streams.length === 0) continue;
    disk.makeFolder(`${folder}/${account}/${to}`);
    const there = disk.names(`${folder}/${account}/${to}`);
    for (const name of streams) {
      if (there.includes(name)) continue;
      disk.rename(`${folder}/${account}/${from}/${name}`, `${folder}/${account}/${to}/${name}`);
      moved.push(`${decodeURIComponent(account)}/${name}`);
    }
  }
  return moved;
}

/** null: there is none. A file that cannot be understood is nobody's. */
function read(disk: Disk, path: string): (Owner & { readonly isWhole: boolean }) | null {
  const content = disk.read(path);
  if (content === null) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString("utf8"));
    const { server, cluster, isWhole } = value as Record<string, unknown>;
    if (typeof server === "string" && typeof cluster === "string" && typeof isWhole === "boolean")
      return { server, cluster, isWhole };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw new StoreRefused(
    `${path} is damaged: it says which server the store belongs to; remove it only if you know that`,
  );
}
