/**
 * Breaks the rules of Raft one by one, in a copy of the sources, and looks whether that is noticed: by a rule (test/sim/raft/rules.ts), or by
 * the simulation, and with which seed. A break that nothing notices says that the tests have grown blind.
 *
 *     node scripts/raft-mutations.ts [--seeds N] [PART OF A NAME]
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** Below src/raft, or below src where it begins with "../". */
type Edit = readonly [file: string, from: string, to: string];

interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly more?: readonly Edit[];
  /** Absent: the state machine alone is played. */
  readonly members?: "driven";
}

const MUTATIONS: readonly Mutation[] = [
  {
    name: "votes twice in a term",
    file: "election.ts",
    from: '(state.vote === "" || state.vote === request.candidate) &&',
    to: "",
  },
  {
    name: "forgets its vote in a crash",
    file: "election.ts",
    from: "state.vote = request.candidate;\n    save(state);",
    to: "state.vote = request.candidate;",
  },
  {
    name: "forgets its term in a crash",
    file: "standing.ts",
    from: 'state.vote = "";\n  save(state);',
    to: 'state.vote = "";',
  },
  {
    name: "votes for a log that is behind",
    file: "election.ts",
    from: "(isWhole(state) ? isUpToDate(state, request) :",
    to: "(isWhole(state) ? true :",
  },
  {
    name: "compares the length of logs and not their terms",
    file: "election.ts",
    from: "lastTerm > log.lastTerm || (lastTerm === log.lastTerm && lastIndex >= log.lastIndex)",
    to: "lastTerm >= 0 && lastIndex >= log.lastIndex",
  },
  {
    name: "elects with less than a majority",
    file: "membership.ts",
    from: "peers.peers.length) / 2) + 1",
    to: "peers.peers.length) / 2)",
  },
  {
    name: "commits an entry of an older term by count",
    file: "leading.ts",
    from: "response.term !== state.term || state.log.termAt(response.index) !== state.term) return;",
    to: "state.log.termAt(response.index) !== response.term) return;",
    more: [
      [
        "leading.ts",
        "index <= state.commit || state.log.termAt(index) !== state.term",
        "index <= state.commit",
      ],
      ["election.ts", "leadsFrom = state.log.lastIndex + 1", "leadsFrom = state.log.lastIndex"],
      [
        "election.ts",
        "appendOwn(state, [{ type: EntryType.PEER_STATE, data: encodePeerState(state.peers) }]);",
        "",
      ],
    ],
  },
  {
    name: "counts its own entries before they are durable",
    file: "leading.ts",
    from: "peer === state.id ? state.durable :",
    to: "peer === state.id ? state.log.lastIndex :",
  },
  {
    name: "does not check what stands before an entry",
    file: "following.ts",
    from: "if (term === append.prevTerm) return true;",
    to: "if (term !== undefined) return true;",
  },
  {
    name: "acknowledges before it is durable",
    file: "following.ts",
    from: 'send.push({ subject: reply, reply: "", message: { kind: "append response", body } });\n}\n\n/** A leader',
    to: 'sendAtOnce.push({ subject: reply, reply: "", message: { kind: "append response", body } });\n}\n\n/** A leader',
  },
  {
    name: "cuts its log on the word of a late message",
    file: "following.ts",
    from: "index > log.startIndex && log.termAt(index) !== append.term",
    to: "index > log.startIndex && index > state.commit",
  },
  {
    name: "follows a leader of an older term",
    file: "following.ts",
    from: "if (term < state.term) return refuse(state, reply);",
    to: "",
  },
  {
    name: "votes after it has lost entries",
    file: "election.ts",
    from: "(isWhole(state) ? isUpToDate(state, request) : isBlank(state) && request.lastIndex === 0)",
    to: "isUpToDate(state, request)",
  },
  {
    name: "campaigns after it has lost entries",
    file: "election.ts",
    from: "return (isWhole(state) || areAllBlank(state)) && state.catchingUp",
    to: "return state.catchingUp",
  },
  {
    name: "forgets that it has lost something",
    file: "node.ts",
    from: "save(this.state);\n    return this.spent();",
    to: 'this.state.ready.save = { term: this.state.term, vote: this.state.vote, loss: "none" };\n    return this.spent();',
  },
  {
    name: "votes with an empty disk at once",
    file: "node.ts",
    from: "if (!isNewGroup || !this.state.log.isEmpty || restored.isDamaged)\n        this.state.recovery = recoverAll(forgotMs);",
    to: "",
  },
  {
    name: "asks one member alone for its term",
    file: "recovery.ts",
    from: "Math.ceil(state.peers.peers.length / 2)",
    to: "1",
  },
  {
    name: "changes two members at once",
    file: "membership.ts",
    from: "state.change === undefined && state.commit >= state.leadsFrom",
    to: "true",
  },
  {
    name: "keeps a membership that was cut from the log",
    file: "membership.ts",
    from: "state.peers = state.change.before;",
    to: "",
  },
  {
    name: "votes with an empty disk before candidacies of before are over",
    file: "recovery.ts",
    from: "asksTerms(state) && log.isEmpty && nowMs >= recovery.asksTermsFromMs",
    to: "asksTerms(state) && log.isEmpty && nowMs >= 0",
  },
  {
    name: "votes with an empty disk for a candidate that has something",
    file: "election.ts",
    from: "isBlank(state) && request.lastIndex === 0",
    to: "isBlank(state)",
  },
  {
    name: "begins with a majority of those who have nothing",
    file: "election.ts",
    from: "votes.length >= state.peers.size",
    to: "votes.length >= quorum(state)",
  },
  {
    name: "leads on after a newer term",
    file: "election.ts",
    from: 'becomeFollower(state, "");\n    takeTerm(state, request.term);',
    to: 'if (state.role !== "leader") becomeFollower(state, "");\n    takeTerm(state, request.term);',
  },
];

const DRIVEN: readonly Mutation[] = [
  {
    name: "takes for durable what is not synced",
    file: "../store/journal/file-journal.ts",
    from: "const needsSync = this.isDirty &&",
    to: "const needsSync = false &&",
  },
  {
    name: "writes nothing of its term and vote",
    file: "../store/journal/file-journal.ts",
    from: 'if (durability === "always") this.mustSync = true;',
    to: "",
    more: [
      [
        "../store/journal/group-file-log.ts",
        "index.hardPlace = this.write(Kind.HARD, 0, hard.term, hardBody(hard));",
        "",
      ],
    ],
  },
  {
    name: "sends before it is durable",
    file: "driver/group.ts",
    from: "for (const outgoing of ready.sendAtOnce) this.send(outgoing);",
    to: "for (const outgoing of [...ready.sendAtOnce, ...ready.send.splice(0)]) this.send(outgoing);",
  },
  {
    name: "takes damage for the end of the journal",
    file: "../store/journal/recovery.ts",
    from: "if (!isSound && at >= durable) return at;",
    to: "if (!isSound) return at;",
  },
  {
    name: "does not count the records of a group",
    file: "../store/journal/recovery.ts",
    from: "if (record.ordinal !== group.ordinal + 1) lose(each);",
    to: "",
    more: [["../store/journal/recovery.ts", "if (isSuspect) lose(each);", ""]],
  },
  {
    name: "believes bodies without their checksum",
    file: "../store/journal/recovery.ts",
    from: "const isSound = isWhole && isBodySound(memory, at, record);",
    to: "const isSound = isWhole;",
  },
  {
    name: "leaves entries behind a cut",
    file: "../store/journal/recovery.ts",
    from: "return dropFrom(each, index + 1);",
    to: "return;",
    more: [["../store/journal/recovery.ts", "dropFrom(each, index);\n      return keep", "return keep"]],
  },
  {
    name: "removes a segment without moving what counts",
    file: "../store/journal/cleaner.ts",
    from: "if ((!isEntry && !isHard && !isSnapshot) || !isBodySound(memory, at, record)) return;",
    to: "if (!isHard || !isBodySound(memory, at, record)) return;",
  },
];

const ROOT = join(import.meta.dirname, "..");
const { values, positionals } = parseArgs({
  options: { seeds: { type: "string", default: "300" } },
  allowPositionals: true,
});

/** Runs in the copy: ends with what noticed the break, the rule or the seed that failed first, and how; or with "missed". */
const RUN = `
import { RULES } from "./test/sim/raft/rules.ts";
import { RaftWorld } from "./test/sim/raft/world.ts";
const tell = (by, error) => { console.log(by + ": " + String(error).split("\\n")[0]); process.exit(0); };
for (const [what, check] of RULES) try { check(); } catch (error) { tell("the rule “" + what + "”", error.message); }
const kind = process.argv[2];
for (let i = 1; i <= ${Number(values.seeds)}; i++) {
  let breaches;
  try { breaches = new RaftWorld(i, i % 2 === 0 ? "raised" : "usual", kind).run(); } catch (error) { breaches = [error.message]; }
  if (breaches.length > 0) tell("seed " + i, breaches[0]);
}
console.log("missed");
`;

function edit(folder: string, [file, from, to]: Edit): void {
  const path = join(folder, "src/raft", file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2) throw new Error(`${file} does not contain this once: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
}

function play({ file, from, to, more = [], members }: Mutation): string {
  const copy = mkdtempSync(join(tmpdir(), "raft-mutation-"));
  try {
    for (const part of [
      "src/raft",
      "src/base",
      "src/store",
      "test/sim/raft",
      "test/sim/timeline.ts",
      "test/support/faulty-disk.ts",
    ])
      cpSync(join(ROOT, part), join(copy, part), { recursive: true });
    writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
    for (const each of [[file, from, to] as const, ...more]) edit(copy, each);
    writeFileSync(join(copy, "run.ts"), RUN);
    return spawnSync(process.execPath, ["run.ts", members ?? "plain"], {
      cwd: copy,
      encoding: "utf8",
    }).stdout.trim();
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

let missed = 0;
for (const mutation of [...MUTATIONS, ...DRIVEN.map((each) => ({ ...each, members: "driven" as const }))]) {
  if (!mutation.name.includes(positionals[0] ?? "")) continue;
  const noticed = play(mutation);
  const isMissed = noticed === "missed" || noticed === "";
  if (isMissed) missed++;
  console.log(`${mutation.name}: ${isMissed ? "NOT NOTICED" : `noticed by ${noticed.slice(0, 160)}`}`);
}
console.log(`${missed} were not noticed by any rule or in ${values.seeds} seeds`);
process.exitCode = missed === 0 ? 0 : 1;
