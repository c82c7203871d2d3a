import { describe, expect, it } from "vitest";
import {
  Discovery,
  type DiscoveredPeer,
  type DiscoverySource,
  type SourceReport,
} from "../../../src/discovery/discovery.ts";
import { staticSource } from "../../../src/discovery/static.ts";

const peer = (host: string): DiscoveredPeer => ({ host, port: 6222 });

class HandSource implements DiscoverySource {
  readonly name: string;
  readonly settings: string;
  tell: (...hosts: string[]) => void = () => undefined;
  watches = 0;
  isEnded = false;
  hastened = 0;
  constructor(name: string, settings = "") {
    this.name = name;
    this.settings = settings;
  }
  watch(onPeers: (peers: readonly DiscoveredPeer[], origin: "discovered") => void): Disposable {
    this.watches++;
    this.tell = (...hosts) => onPeers(hosts.map(peer), "discovered");
    return { [Symbol.dispose]: () => void (this.isEnded = true) };
  }
  hasten(): void {
    this.hastened++;
  }
  snapshot() {
    const { name } = this;
    return { name, peers: [], lookups: 3, failures: 1, answeredMs: 1000, lastError: "late", hasShown: false };
  }
}

function started(): { discovery: Discovery; reports: SourceReport[]; dns: HandSource; other: HandSource } {
  const reports: SourceReport[] = [];
  const discovery = new Discovery((report) => reports.push(report));
  const [dns, other] = [new HandSource("dns a"), new HandSource("kubernetes")];
  discovery.use([staticSource("routes", [peer("10.0.0.1")]), dns, other]);
  return { discovery, reports, dns, other };
}

describe("several sources", () => {
  it("report side by side, each under its name", () => {
    const { reports, dns, other } = started();
    dns.tell("10.0.0.2");
    other.tell("10.0.0.2", "10.0.0.3");
    expect(reports.map(({ source, origin, peers }) => [source, origin, peers.length])).toEqual([
      ["routes", "explicit", 1],
      ["dns a", "discovered", 1],
      ["kubernetes", "discovered", 2],
    ]);
  });

  it("are replaced: who is listed again goes on, who is not ends and has seen nothing", () => {
    const { discovery, reports, dns, other } = started();
    reports.length = 0;
    discovery.use([new HandSource("kubernetes"), new HandSource("dns b")]);
    expect(reports).toEqual([
      { source: "routes", origin: "discovered", peers: [] },
      { source: "dns a", origin: "discovered", peers: [] },
    ]);
    expect([dns.isEnded, other.isEnded, other.watches]).toEqual([true, false, 1]);
    expect(discovery.snapshot(4000).map(({ name }) => name)).toEqual(["kubernetes", "dns b"]);
  });

  it("give way to others of their name with other settings, of which nobody hears until those report", () => {
    const { discovery, reports, dns } = started();
    reports.length = 0;
    const sameAgain = staticSource("routes", [peer("10.0.0.1")]);
    const next = new HandSource("dns a", "each second");
    discovery.use([sameAgain, next, new HandSource("kubernetes")]);
    expect([dns.isEnded, next.watches, reports]).toEqual([true, 1, []]);
    const others = staticSource("routes", [peer("10.0.0.7")]);
    discovery.use([others, new HandSource("dns a", "each second"), new HandSource("kubernetes")]);
    expect([next.isEnded, next.watches]).toEqual([false, 1]);
    expect(reports).toEqual([{ source: "routes", origin: "explicit", peers: [peer("10.0.0.7")] }]);
  });

  it("show how they fare, hasten together and end together", () => {
    const { discovery, dns, other } = started();
    expect(discovery.snapshot(4000)[1]).toEqual({
      name: "dns a",
      peers: [],
      lookups: 3,
      failures: 1,
      answerAgeMs: 3000,
      lastError: "late",
      hasShown: false,
    });
    expect(discovery.snapshot(4000)[0]).toMatchObject({ name: "routes", answerAgeMs: null });
    discovery.hasten();
    discovery[Symbol.dispose]();
    expect([dns.hastened, other.hastened, dns.isEnded, other.isEnded]).toEqual([1, 1, true, true]);
  });
});
