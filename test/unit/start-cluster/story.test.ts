import { describe, expect, it } from "vitest";
import { Story } from "../../../scripts/start-cluster/story.ts";

const names = ["a", "b", "c"];

function logged(story: Story, name: string, fields: Record<string, unknown>): string[] {
  return story.tell({ kind: "logged", name, fields: { level: "info", ...fields } });
}

function joined(story: Story, member: string, name: string, connected: number): string[] {
  return logged(story, member, { event: "peer_joined", name, connected, wanted: 3 });
}

function complete(): Story {
  const story = new Story(3);
  for (const [i, name] of names.entries()) story.tell({ kind: "started", name, pid: i });
  for (const member of names) {
    for (const [i, peer] of names.filter((name) => name !== member).entries())
      joined(story, member, peer, i + 2);
  }
  return story;
}

describe("the story of a cluster", () => {
  it("tells who joined once, and how far the mesh is", () => {
    const story = new Story(3);
    for (const [i, name] of names.entries()) {
      expect(story.tell({ kind: "started", name, pid: i })).toEqual([`${name} started, pid ${i}`]);
    }
    expect(joined(story, "a", "b", 2)).toEqual(["b joined, as a sees", "mesh 2/3"]);
    expect(joined(story, "b", "a", 2)).toEqual(["a joined, as b sees"]);
    expect(joined(story, "c", "a", 2)).toEqual([]);
    expect(joined(story, "a", "c", 3)).toEqual(["c joined, as a sees"]);
    expect(joined(story, "b", "c", 3)).toEqual([]);
    expect(story.complete).toBe(false);
    expect(joined(story, "c", "b", 3)).toEqual(["mesh 3/3"]);
    expect(story.complete).toBe(true);
  });

  it("follows a member that is killed and returns", () => {
    const story = complete();
    expect(story.tell({ kind: "exited", name: "b", how: "was ended by SIGKILL" })).toEqual([
      "b was ended by SIGKILL",
      "mesh 2/3",
    ]);
    const left = { event: "peer_left", name: "b", reason: "closed", connected: 2, wanted: 3 };
    expect(logged(story, "a", left)).toEqual(["b left, as a sees: closed"]);
    expect(logged(story, "c", left)).toEqual([]);
    expect(story.tell({ kind: "restarting", name: "b", delayMs: 2000 })).toEqual(["b starts again in 2 s"]);
    story.tell({ kind: "started", name: "b", pid: 9 });
    expect(joined(story, "a", "b", 3)).toEqual(["b joined, as a sees"]);
    logged(story, "b", { event: "mesh", connected: 3, wanted: 3 });
    expect(joined(story, "c", "b", 3)).toEqual(["mesh 3/3"]);
  });

  it("counts by lines about the mesh alone: that of readiness counts the others", () => {
    const story = complete();
    expect(logged(story, "c", { event: "ready", connected: 2, seen: 2 })).toEqual([]);
    expect(story.complete).toBe(true);
  });

  it("does not tell what a member that has ended said of the others last", () => {
    const story = complete();
    story.tell({ kind: "exited", name: "b", how: "was ended by SIGTERM" });
    const left = { event: "peer_left", name: "a", reason: "serverShutdown", connected: 2, wanted: 2 };
    expect(logged(story, "b", left)).toEqual([]);
  });

  it("shows a partition by the size of its larger side", () => {
    const story = complete();
    expect(logged(story, "c", { event: "mesh", connected: 1, wanted: 3 })).toEqual(["mesh 2/3"]);
  });

  it("counts a guest into the mesh", () => {
    const story = complete();
    for (const member of ["a", "b"]) joined(story, member, "guest", 4);
    expect(joined(story, "c", "guest", 4)).toEqual([]);
    expect(story.complete).toBe(true);
  });

  it("passes on warnings and what is no log line, and keeps the rest to itself", () => {
    const story = complete();
    expect(logged(story, "a", { msg: "Listening" })).toEqual([]);
    expect(logged(story, "a", { level: "error", msg: "No route", pid: 1, port: 7, host: "h" })).toEqual([
      "a error: No route port=7 host=h",
    ]);
    const dial = { level: "error", msg: "Error trying to connect to route", attempts: 1, address: "h:1" };
    expect(logged(story, "a", dial)).toEqual([]);
    expect(story.tell({ kind: "printed", name: "a", text: "boom" })).toEqual(["a | boom"]);
  });
});
