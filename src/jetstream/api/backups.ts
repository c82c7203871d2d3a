/** The backups and restores of one account that are under way. */

/** More are refused. */
const UNDER_WAY_MAX = 16;

interface UnderWay {
  stop(): void;
}

interface Restoring extends UnderWay {
  readonly storage: "file" | "memory";
  /** Of messages so far. */
  readonly storedBytes: number;
}

export class Backups {
  private readonly all = new Set<UnderWay>();
  private readonly restoring = new Map<string, Restoring>();

  get hasRoom(): boolean {
    return this.all.size < UNDER_WAY_MAX;
  }

  isRestoring(stream: string): boolean {
    return this.restoring.has(stream);
  }

  saving(one: UnderWay): void {
    this.all.add(one);
  }

  /** A stream of this name is being restored. */
  restoringTo(stream: string, one: Restoring): void {
    this.all.add(one);
    this.restoring.set(stream, one);
  }

  /** `stream`: the name of one that was being restored. */
  ended(one: UnderWay, stream?: string): void {
    this.all.delete(one);
    if (stream !== undefined) this.restoring.delete(stream);
  }

  /** Bytes that restores have taken so far, but for that of this stream. */
  otherBytes(stream: string, storage: "file" | "memory"): number {
    let sum = 0;
    for (const [name, one] of this.restoring)
      if (name !== stream && one.storage === storage) sum += one.storedBytes;
    return sum;
  }

  stop(): void {
    for (const one of [...this.all]) one.stop();
  }
}
