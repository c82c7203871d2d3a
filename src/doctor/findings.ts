/** What the doctor finds, as values, as lines for people and as their order. */

type Kind = "server" | "meta group" | "route" | "leaf" | "stream" | "consumer";

/** "unhealthy": something does not work as it should. "idle": it works, and nothing happens for a reason. */
type State = "unhealthy" | "idle";

export interface DoctorFinding {
  readonly state: State;
  readonly kind: Kind;
  /** The server, the connection, the cluster, or account, stream and consumer. */
  readonly name: string;
  readonly why: string;
  /** What to do about it. */
  readonly todo: string;
}

export interface Diagnosis {
  /** The worst of all findings. */
  readonly status: "ok" | State;
  readonly servers: number;
  readonly streams: number;
  readonly consumers: number;
  readonly unhealthy: number;
  readonly idle: number;
  /** The worst first, FINDINGS_MAX of them. */
  readonly findings: readonly DoctorFinding[];
}

export const FINDINGS_MAX = 1000;

const STATES: readonly State[] = ["unhealthy", "idle"];
const KINDS: readonly Kind[] = ["meta group", "server", "route", "leaf", "stream", "consumer"];

/** The worst first: by state, then what others depend on before those. */
export function inOrder(findings: readonly DoctorFinding[]): DoctorFinding[] {
  const rank = ({ state, kind }: DoctorFinding): number =>
    STATES.indexOf(state) * KINDS.length + KINDS.indexOf(kind);
  return findings.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function lineOf({ state, kind, name, why, todo }: DoctorFinding): string {
  return printable(`${state}: ${kind} ${name}: ${why}. ${todo}.`);
}

export function linesOf(diagnosis: Diagnosis): string[] {
  const { findings, unhealthy, idle, servers, streams, consumers } = diagnosis;
  const left = unhealthy + idle - findings.length;
  const looked = `${counted(servers, "server")}, ${counted(streams, "stream")}, ${counted(consumers, "consumer")}`;
  return [
    ...findings.map(lineOf),
    ...(left > 0 ? [`and ${left} more`] : []),
    `${looked}: ${unhealthy === 0 && idle === 0 ? "all is well" : `${unhealthy} unhealthy, ${idle} idle`}`,
  ];
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Names come from clients and other servers: a terminal must not take them for orders. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu, "\u{fffd}");
}
