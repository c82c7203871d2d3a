/** The disk of a simulated server: syncs take a while, and the machine may lose power before any of its operations. */
import type { Clock } from "../../../src/base/clock.ts";
import type { Random } from "../../../src/base/random.ts";
import type { DiskError, DiskFile } from "../../../src/store/disk.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

/** The work that was under way ends here. */
export class PowerLost extends Error {}

interface ServerDiskWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly syncMsMax: number;
}

export class ServerDisk extends FaultyDisk {
  /** Infinity: it does not lose power. */
  operationsLeft = Infinity;
  private readonly world: ServerDiskWorld;
  private readonly run: (act: () => void) => void;

  /** `run`: as the work of the server. */
  constructor(world: ServerDiskWorld, run: (act: () => void) => void) {
    super(world.random, "when asked");
    this.world = world;
    this.run = run;
  }

  /** Before each operation that changes something. */
  private count(): void {
    if (--this.operationsLeft < 0) throw new PowerLost("the machine has lost power");
  }

  override open(path: string): DiskFile {
    const file = super.open(path);
    return {
      get size() {
        return file.size;
      },
      write: (content, at) => {
        this.count();
        file.write(content, at);
        this.count();
      },
      read: (into, at) => file.read(into, at),
      truncate: (size) => {
        this.count();
        file.truncate(size);
      },
      sync: (done) => {
        this.count();
        file.sync(done);
      },
      syncNow: () => {
        this.count();
        file.syncNow();
      },
      close: () => file.close(),
    };
  }

  override replace(path: string, bytes: Uint8Array): void {
    this.count();
    super.replace(path, bytes);
  }

  override create(path: string, bytes: Uint8Array): DiskFile {
    this.count();
    return super.create(path, bytes);
  }

  override rename(from: string, to: string): void {
    this.count();
    super.rename(from, to);
  }

  override remove(path: string): void {
    this.count();
    super.remove(path);
  }

  override syncFolder(path: string): void {
    this.count();
    super.syncFolder(path);
  }

  override syncFolderLater(path: string, done: (error: DiskError | null) => void): void {
    this.count();
    super.syncFolderLater(path, done);
  }

  override later(act: () => void): void {
    const { clock, random, syncMsMax } = this.world;
    super.later(act);
    clock.setTimer(random.next() * syncMsMax, () => {
      // a crash has taken it away
      const at = this.syncs.indexOf(act);
      if (at < 0) return;
      this.syncs.splice(at, 1);
      this.run(act);
    });
  }
}
