/** Thousands of addresses that nobody answers at, beside a member whose routes are not all there. */
import { describe, expect, test } from "vitest";
import type { MeshAction, MeshOptions } from "../../../src/cluster/mesh-types.ts";
import { all, info, MeshDriver, type ActionOf } from "./mesh-driver.ts";

const DEAD = 5000;

/** A member (B) with one of three routes; a dial to B is answered, all others time out. */
class Crowd {
  readonly driver: MeshDriver;
  readonly member: number;
  readonly begun: number[] = [];
  onDial: (dial: ActionOf<"dial">) => void = () => undefined;
  private readonly deadDials = new Map<number, ActionOf<"dial">>();

  constructor(options: Partial<MeshOptions> = {}) {
    this.driver = new MeshDriver({ id: "A", poolSize: 3, ...options });
    const { connId } = this.driver.accept(info("B", { routePoolSize: 3 }), "10.0.0.2");
    this.member = connId;
  }

  /** The member tells of so many others. */
  tell(count: number): void {
    for (let i = 0; i < count; i++) {
      const ip = `nats-route://10.1.${i >> 8}.${i & 255}:6222/`;
      this.take(this.driver.gossip(this.member, info(`X${i}`, { ip })));
    }
  }

  /** Returns how often the mesh asked to be woken. */
  wait(byMs: number): number {
    const { driver } = this;
    const untilMs = driver.nowMs + byMs;
    let ticks = 0;
    for (;;) {
      const [dialId, dial] = this.deadDials.entries().next().value ?? [0, undefined];
      const wakeMs = driver.mesh.nextWakeMs() ?? untilMs;
      const dueMs = Math.min(dial === undefined ? untilMs : (this.begun[dialId] ?? 0) + 1000, wakeMs);
      if (dueMs >= untilMs) break;
      driver.nowMs = Math.max(driver.nowMs, dueMs);
      if (dueMs === wakeMs) {
        ticks++;
        this.take(driver.step({ kind: "tick" }));
      } else if (dial !== undefined) {
        this.deadDials.delete(dialId);
        this.take(driver.fail(dial));
      }
    }
    driver.nowMs = untilMs;
    return ticks;
  }

  take(actions: readonly MeshAction[]): void {
    const { driver } = this;
    for (const dial of all(actions, "dial")) {
      this.begun[dial.dialId] = driver.nowMs;
      this.onDial(dial);
      if (dial.address.host !== "10.0.0.2") this.deadDials.set(dial.dialId, dial);
      else this.answer(dial);
    }
  }

  private answer(dial: ActionOf<"dial">): void {
    const { connId, actions } = this.driver.answer(dial, info("B", { routePoolSize: 3 }));
    this.take([...actions, ...this.driver.confirm(connId)]);
  }

  get snapshot() {
    return this.driver.mesh.snapshot(this.driver.nowMs);
  }
}

describe("thousands of dead addresses", () => {
  test("the mesh has one date for each row at most, and asks to be woken no oftener than there is room to dial", () => {
    const crowd = new Crowd();
    crowd.tell(DEAD);
    for (let second = 0; second < 20; second++) {
      const ticks = crowd.wait(1000);
      const { alarms, dialsWaiting, dialsInFlight, handshakesOpen, addresses, peers } = crowd.snapshot;
      expect(alarms).toBeLessThanOrEqual(
        addresses.length + peers.length + dialsInFlight + handshakesOpen + 3,
      );
      expect(dialsWaiting).toBeLessThanOrEqual(addresses.length + peers.length);
      expect(ticks).toBeLessThan(500);
    }
  });

  test("a connected member still gets its missing routes within seconds", () => {
    const crowd = new Crowd();
    crowd.tell(DEAD);
    crowd.wait(5000);
    expect(crowd.snapshot.peers[0]?.slots).not.toContain(undefined);
  });

  test("an address that a source lists is dialled within seconds, before most of those that came by gossip", () => {
    const crowd = new Crowd();
    crowd.tell(DEAD);
    crowd.wait(1500);
    const fromMs = crowd.driver.nowMs;
    const dials: { host: string; atMs: number }[] = [];
    crowd.onDial = ({ address }) => void dials.push({ host: address.host, atMs: crowd.driver.nowMs });
    crowd.take(crowd.driver.list(["listed"]));
    crowd.wait(3000);
    const listed = dials.find(({ host }) => host === "listed");
    expect(listed?.atMs).toBeLessThan(fromMs + 2000);
  });

  test("dials begin in small lots, so that opening sockets never takes long", () => {
    const driver = new MeshDriver();
    const hosts = Array.from({ length: DEAD }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const lots = [all(driver.list(hosts), "dial").length];
    while (driver.nowMs < 100) {
      driver.nowMs += 5;
      lots.push(all(driver.step({ kind: "tick" }), "dial").length);
    }
    expect(Math.max(...lots)).toBe(32);
    expect(lots.reduce((sum, lot) => sum + lot, 0)).toBe(128);
  });

  test("all of them are given up in the stated time, and leave nothing behind", () => {
    const crowd = new Crowd({ giveUpAfterMs: 10_000 });
    crowd.tell(DEAD);
    crowd.wait(15_000);
    expect(crowd.snapshot).toMatchObject({ dialsWaiting: 0, size: { connected: 2, wanted: 2 } });
    expect(crowd.snapshot.addresses).toHaveLength(1);
  });
});
