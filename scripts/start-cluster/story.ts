/**
 * What a person is told about the cluster: a line per event. Pure: events in, lines out.
 *
 * The members' own logs are the source. Facts are known by the field `event`:
 *
 *     mesh         connected, wanted                    servers including the member itself
 *     peer_joined  name, connected, wanted
 *     peer_left    name, reason, connected, wanted
 *
 * Every member sees every other one come and go; the first report is told, the others only count.
 */

export type StoryEvent =
  | { readonly kind: "started"; readonly name: string; readonly pid: number }
  | { readonly kind: "exited"; readonly name: string; readonly how: string }
  | { readonly kind: "restarting"; readonly name: string; readonly delayMs: number }
  | { readonly kind: "gaveUp"; readonly name: string; readonly exits: number }
  | { readonly kind: "logged"; readonly name: string; readonly fields: Readonly<Record<string, unknown>> }
  | { readonly kind: "printed"; readonly name: string; readonly text: string };

const LINE_FIELDS = new Set(["level", "time", "pid", "msg"]);
/** Other lines have a field `connected` too, which counts the others alone. */
const SIZES = new Set(["mesh", "peer_joined", "peer_left"]);
const ALARMING = new Set(["warn", "error", "fatal"]);

export class Story {
  private readonly members: number;
  /** Running members, with the number of servers that each sees, itself included. */
  private readonly sees = new Map<string, number>();
  private readonly present = new Set<string>();
  private mesh = "";

  constructor(members: number) {
    this.members = members;
  }

  /** Every member runs and sees every other. */
  get complete(): boolean {
    const seen = [...this.sees.values()];
    return seen.length >= this.members && seen.every((connected) => connected >= this.members);
  }

  tell(event: StoryEvent): string[] {
    switch (event.kind) {
      case "started":
        this.sees.set(event.name, 1);
        return [`${event.name} started, pid ${event.pid}`];
      case "exited":
        this.sees.delete(event.name);
        return [`${event.name} ${event.how}`, ...this.meshChange()];
      case "restarting":
        return [`${event.name} starts again in ${event.delayMs / 1000} s`];
      case "gaveUp":
        return [`${event.name} ended ${event.exits} times right after its start: not started again`];
      case "printed":
        return [`${event.name} | ${event.text}`];
      case "logged":
        return this.logged(event.name, event.fields);
    }
  }

  private logged(member: string, fields: Readonly<Record<string, unknown>>): string[] {
    if (!this.sees.has(member)) return alarm(member, fields);
    const { event, connected } = fields;
    const isOfMesh = typeof event === "string" && SIZES.has(event);
    if (isOfMesh && typeof connected === "number") this.sees.set(member, connected);
    return [...this.peerChange(member, fields), ...alarm(member, fields), ...this.meshChange()];
  }

  private peerChange(member: string, fields: Readonly<Record<string, unknown>>): string[] {
    const name = String(fields["name"]);
    if (fields["event"] === "peer_joined" && !this.present.has(name)) {
      this.present.add(name);
      return [`${name} joined, as ${member} sees`];
    }
    if (fields["event"] === "peer_left" && this.present.delete(name)) {
      const { reason } = fields;
      return [`${name} left, as ${member} sees${typeof reason === "string" ? `: ${reason}` : ""}`];
    }
    return [];
  }

  private meshChange(): string[] {
    const largest = Math.max(0, ...this.sees.values());
    // a member that is connected to all does not make the mesh complete: all must be
    const connected = this.complete ? largest : Math.min(largest, this.members - 1);
    const mesh = `mesh ${connected}/${Math.max(this.members, connected)}`;
    if (mesh === this.mesh) return [];
    this.mesh = mesh;
    return [mesh];
  }
}

function alarm(member: string, fields: Readonly<Record<string, unknown>>): string[] {
  if (!ALARMING.has(String(fields["level"]))) return [];
  // a dial that failed: that a member is away is told already
  if (typeof fields["attempts"] === "number") return [];
  const rest = Object.entries(fields)
    .filter(([key]) => !LINE_FIELDS.has(key))
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [`${member} ${String(fields["level"])}: ${String(fields["msg"])}${rest.join("")}`];
}
