/** The backups and restores of one account that are under way. */

/** More are refused. */
const UNDER_WAY_MAX = 16;

interface UnderWay {
  stop(): void;
}

export class Backups {
  private readonly all = new Set<UnderWay>();
  private readonly restoring = new Set<string>();

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
  restoringTo(stream: string, one: UnderWay): void {
    this.all.add(one);
    this.restoring.add(stream);
  }

  /** `stream`: the name of one that was being restored. */
  ended(one: UnderWay, stream?: string): void {
    this.all.delete(one);
    if (stream !== undefined) this.restoring.delete(stream);
  }

  stop(): void {
    for (const one of [...this.all]) one.stop();
  }
}
