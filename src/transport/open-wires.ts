/** The wires that are open: who stops waits for them, so that no handle is left. */
import { assert } from "../base/assert.ts";
export class OpenWires {
  private count = 0;
  private waiting: (() => void)[] = [];

  opened(): void {
    this.count++;
  }

  closed(): void {
    this.count--;
    assert(this.count >= 0, "a wire closes once");
    if (this.count > 0) return;
    for (const resolve of this.waiting) resolve();
    this.waiting = [];
  }

  /** Resolves when none is open. */
  async drained(): Promise<void> {
    if (this.count > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}
