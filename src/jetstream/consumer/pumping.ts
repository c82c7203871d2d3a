/**
 * Has a consumer's work done once the messages that are being read have been handled, however often it is asked for. What is left over
 * then waits until others have had their turn.
 */
import type { AccountHost } from "../host.ts";

export class Pumping {
  private readonly host: Pick<AccountHost, "afterwards" | "soon">;
  private readonly run: () => "done" | "left over";
  isStopped = false;
  isDue = false;

  constructor(host: Pick<AccountHost, "afterwards" | "soon">, run: () => "done" | "left over") {
    this.host = host;
    this.run = run;
  }

  wake(): void {
    if (this.isDue || this.isStopped) return;
    this.isDue = true;
    this.host.afterwards(() => this.act());
  }

  stop(): void {
    this.isStopped = true;
  }

  private act(): void {
    this.isDue = false;
    if (this.isStopped || this.run() === "done" || this.isDue) return;
    this.isDue = true;
    this.host.soon(() => this.act());
  }
}
