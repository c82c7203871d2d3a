/**
 * Whose a store is: the server and the cluster that keep streams in it, and whether its journal knows every group that this server has
 * ever been a member of. A server that took the store of another one would vote under a name whose votes it does not know, and one that
 * left its cluster would change copies of streams that others keep as well. A server that kept streams by itself may become one of a
 * cluster, to which it offers them (`offers.ts`).
 *
 *     %owner.json         beside the folders of accounts, none of which is called so
 *     %owner.copy.json    the same, written behind it: damage to one of them is mended from the other one
 */
import type { Disk } from "../store/disk.ts";
import { OFFERED_FOLDER } from "./offers.ts";

const FILE = "%owner.json";
const COPY = "%owner.copy.json";
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
  private readonly folder: string;
  private readonly owner: Owner;

  private constructor(
    disk: Disk,
    folder: string,
    { isWhole, ...owner }: Owner & { readonly isWhole: boolean },
    offered: readonly string[] = [],
  ) {
    this.disk = disk;
    this.folder = folder;
    this.owner = owner;
    this.isWhole = isWhole;
    this.offered = offered;
  }

  /** null: the server belongs to no cluster. `disk`: nothing of it is open. Throws `StoreRefused`, `DiskError`. */
  static claim(disk: Disk, folder: string, owner: Owner): StoreOwner | null {
    const known = read(disk, folder, owner);
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
      const own = new StoreOwner(disk, folder, known);
      own.write(); // both files say so from here on
      return own;
    }
    // a cluster knows nothing of streams that a server kept by itself before
    const offered = moveStreams(disk, folder, { from: STREAMS_FOLDER, to: OFFERED_FOLDER });
    const made = new StoreOwner(disk, folder, { ...owner, isWhole: false }, offered);
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
    const { owner, isWhole, folder } = this;
    const content = Buffer.from(`${JSON.stringify({ ...owner, isWhole }, null, 1)}\n`, "utf8");
    for (const file of [FILE, COPY]) {
      const path = `${folder}/${file}`;
      const known = this.disk.read(path);
      if (known === null || !content.equals(known)) this.disk.replace(path, content);
    }
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

type Known = Owner & { readonly isWhole: boolean };

/**
 * null: there is none. Where both files can be read and differ, the one that names this server is right: a flipped bit makes another name, but
 * never this one. What cannot be understood, in both files, is nobody's.
 */
function read(disk: Disk, folder: string, own: Owner): Known | null {
  const contents = [FILE, COPY].map((file) => disk.read(`${folder}/${file}`));
  if (contents.every((content) => content === null)) return null;
  const known = contents.map(understood).filter((one) => one !== null);
  const [first] = known;
  if (first !== undefined)
    return known.find(({ server, cluster }) => server === own.server && cluster === own.cluster) ?? first;
  throw new StoreRefused(
    `${folder}/${FILE} and ${COPY} are damaged: they say which server the store belongs to; remove them only if you know that`,
  );
}

function understood(content: Uint8Array | null): Known | null {
  if (content === null) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString("utf8"));
    const { server, cluster, isWhole } = value as Record<string, unknown>;
    if (typeof server === "string" && typeof cluster === "string" && typeof isWhole === "boolean")
      return { server, cluster, isWhole };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  return null;
}
