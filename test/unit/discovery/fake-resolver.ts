/** A resolver whose answers the test writes down, by full name: records, or a code of failure. What is not written is not there. */
import type { NameResolver } from "../../../src/discovery/resolver.ts";

interface Answers {
  readonly A?: readonly string[] | string;
  readonly AAAA?: readonly string[] | string;
  /** "target:port". */
  readonly SRV?: readonly string[] | string;
  readonly ttl?: number;
}

export class FakeResolver implements NameResolver {
  zone: Record<string, Answers> = {};
  hosts = "";
  resolvConf = "";
  system: Record<string, readonly string[]> = {};
  /** No name server answers: every question waits until it is cancelled. */
  isSilent = false;
  readonly questions: string[] = [];
  private readonly waiting = new Set<(error: Error) => void>();

  resolve4 = async (name: string) => this.addresses(name, "A");
  resolve6 = async (name: string) => this.addresses(name, "AAAA");
  resolveSrv = async (name: string) => {
    const records = await this.ask(name, "SRV");
    return records.map((record) => {
      const [target = "", port = ""] = record.split(":");
      return { name: target, port: Number(port) };
    });
  };
  systemLookup = async (name: string) => this.system[name] ?? Promise.reject(failure("ENOTFOUND"));
  hostsText = async () => this.hosts;
  resolvConfText = async () => this.resolvConf;

  cancel(): void {
    for (const reject of this.waiting) reject(failure("ECANCELLED"));
    this.waiting.clear();
  }

  private async addresses(name: string, type: "A" | "AAAA"): Promise<{ address: string; ttl: number }[]> {
    const ttl = this.zone[name]?.ttl ?? 3600;
    return (await this.ask(name, type)).map((address) => ({ address, ttl }));
  }

  private async ask(name: string, type: "A" | "AAAA" | "SRV"): Promise<readonly string[]> {
    this.questions.push(`${name} ${type}`);
    if (this.isSilent) return new Promise((_, reject) => this.waiting.add(reject));
    const known = this.zone[name];
    if (known === undefined) throw failure("ENOTFOUND");
    const records = known[type] ?? [];
    if (typeof records === "string") throw failure(records);
    if (records.length === 0) throw failure("ENODATA");
    return records;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`query ${code}`), { code });
}
