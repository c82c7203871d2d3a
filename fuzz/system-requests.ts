/**
 * Sends requests with any payload to the system account of a whole server, and reads the answers: each is JSON. The first two bytes say which request it is, the rest is its payload.
 */
import { assert } from "../src/base/assert.ts";
import { silentLogger } from "../src/base/logger.ts";
import { Server } from "../src/app/server.ts";
import { loadConfig, type LoadResult } from "../src/config/load.ts";
import type { Arrival } from "../src/links/client/arrival.ts";
import { INSIDE } from "../src/ports/entrance.ts";
import { MemoryWire } from "../src/transport/memory.ts";
import type { Wire } from "../src/transport/wire.ts";

const SERVER_KINDS =
  "IDZ STATSZ VARZ SUBSZ CONNZ ROUTEZ GATEWAYZ LEAFZ ACCOUNTZ JSZ HEALTHZ EXPVARZ IPQUEUESZ RAFTZ PROFILEZ MEMBERZ KICK LDM".split(
    " ",
  );
const ACCOUNT_KINDS = "SUBSZ CONNZ LEAFZ JSZ INFO STATZ CONNS".split(" ");
const OPTIONS =
  "server_name cluster host tags domain exact_match sort auth subscriptions subscriptions_detail offset limit cid mqtt_client state user acc filter_subject account include_internal test name debug accounts streams consumer config leader_only raft stream js-enabled-only detail unused include_unused".split(
    " ",
  );

export const dictionary = [
  ...OPTIONS.flatMap((option) => [`"${option}":`, `"${option}":true,`, `"${option}":"$G",`]),
  ...'{|}|[|]|,|:|0|-1|1e9|1.5|9007199254740993|true|null|"|"A"|"$SYS"|"a.*"|["x"]|[[[[[[[[[[[[|{"a":'.split(
    "|",
  ),
];

const CONFIG = `
  listen: "127.0.0.1:-1", server_name: fuzzed, cluster { name: c, listen: "127.0.0.1:-1" }
  accounts { SYS { users: [{user: sys, password: s}] }, A { users: [{user: a, password: a}] } }
  system_account: SYS, no_auth_user: sys
`;
const load = async (): Promise<LoadResult> => loadConfig(["-c", "fuzz.conf"], {}, () => Buffer.from(CONFIG));
const loaded = await load();
assert(loaded.kind === "run", "the configuration is taken");
const server = new Server({
  config: loaded.config,
  logger: silentLogger,
  configSource: { load, files: [], parts: [] },
});
await server.start();

interface Service {
  readonly isScheduled: boolean;
  readonly answering: ReadonlySet<string>;
}
interface Port {
  accept(wire: Wire, arrival: Arrival): void;
}

const service = server.rooms.system.current!.service as unknown as Service;
const port = server.clients as unknown as Port;
let asker = arrive();

function arrive(): MemoryWire {
  const wire = new MemoryWire();
  port.accept(wire, { entrance: INSIDE });
  wire.receiveText('CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\nSUB answers 3\r\nPING\r\n');
  assert(wire.takeText().includes("PONG"), "the client is admitted");
  return wire;
}

async function answered(): Promise<void> {
  while (service.isScheduled || service.answering.size > 0)
    await new Promise((resolve) => setImmediate(resolve));
}

// Else the rest would say nothing.
asker.receiveText("PUB $SYS.REQ.SERVER.PING.VARZ answers 0\r\n\r\n");
for (let said = ""; !said.includes("MSG answers 3 "); said += asker.takeText())
  await new Promise((resolve) => setImmediate(resolve)); // on a busy machine it may take several rounds

export async function fuzz(bytes: Uint8Array): Promise<void> {
  const [kind = 0, how = 0] = bytes;
  if (asker.state !== "open") {
    asker.hangUp();
    asker = arrive();
  }
  const payload = Buffer.from(bytes.subarray(2));
  const reply = (how & 64) === 0 ? "answers " : "";
  asker.receive(
    Buffer.concat([
      Buffer.from(`PUB ${subject(kind, how)} ${reply}${payload.length}\r\n`),
      payload,
      Buffer.from("\r\n"),
    ]),
  );
  await answered();
  checkAnswers(asker.take());
  assert(server.rooms.faults.count === 0, "no fault is contained");
}

function subject(kind: number, how: number): string {
  const account = ["$G", "$SYS", "PING", "A"][how & 3]!;
  if ((how & 8) !== 0) return `$SYS.REQ.ACCOUNT.${account}.${ACCOUNT_KINDS[kind % ACCOUNT_KINDS.length]!}`;
  if ((how & 16) !== 0) return "$SYS.REQ.USER.INFO";
  const whom = (how & 4) === 0 ? "PING" : server.identity.id;
  return `$SYS.REQ.SERVER.${whom}.${SERVER_KINDS[kind % SERVER_KINDS.length]!}`;
}

function checkAnswers(got: Buffer): void {
  for (let at = 0; at < got.length;) {
    const lineEnd = got.indexOf("\r\n", at);
    const line = got.toString("latin1", at, lineEnd);
    at = lineEnd + 2;
    if (!line.startsWith("MSG ")) continue;
    const size = Number(line.split(" ").at(-1));
    if (size > 0 && line.startsWith("MSG answers ")) {
      const answer = JSON.parse(got.toString("utf8", at, at + size)) as object;
      assert("server" in answer || "id" in answer, "an answer says which server it is from");
    }
    at += size + 2;
  }
}
