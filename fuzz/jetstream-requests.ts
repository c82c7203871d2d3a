/**
 * Plays lines at JetStream of one account on a disk in memory, as clients would: requests, publishers, acknowledgements, pulls.
 *
 *     <subject> <payload>          with a reply; the header `#Name: value#` may stand before the payload
 *     @<n> <payload>               an acknowledgement for the nth delivery
 *     %<bytes>                     a request (see `support/jetstream-grammar.ts`)
 *     +<ms>                        time passes
 *     !<ms>                        a restart that takes so long
 *     ?<wounds>                    a restart with wounded files (see `support/damage.ts`)
 */
import { assert } from "../src/base/assert.ts";
import { VirtualClock } from "../src/base/clock.ts";
import { TIMER_MAX_MS } from "../src/base/duration.ts";
import { silentLogger } from "../src/base/logger.ts";
import { seededRandom } from "../src/base/random.ts";
import { NO_LIMITS } from "../src/jetstream/limits.ts";
import type { AccountHost, Incoming, Outgoing } from "../src/jetstream/host.ts";
import { JetStream } from "../src/jetstream/jetstream.ts";
import { SENT_ANSWERS, sentLane } from "../test/support/sent-lane.ts";
import type { Disk } from "../src/store/disk.ts";
import { MemoryDisk } from "../src/store/memory-disk.ts";
import { isValidLiteralSubject, subjectMatches } from "../src/subject/subject.ts";
import { requestFrom } from "./support/jetstream-grammar.ts";
import { diskOf, filesBelow, wounded } from "./support/damage.ts";

const API =
  "INFO|STREAM.CREATE.S|STREAM.CREATE.N|STREAM.UPDATE.S|STREAM.NAMES|STREAM.LIST|STREAM.INFO.S|STREAM.DELETE.S|STREAM.PURGE.S|STREAM.MSG.GET.S|STREAM.MSG.DELETE.S|CONSUMER.CREATE.S|CONSUMER.CREATE.S.c|CONSUMER.CREATE.S.n.s.a|CONSUMER.DURABLE.CREATE.S.c|CONSUMER.NAMES.S|CONSUMER.LIST.S|CONSUMER.INFO.S.c|CONSUMER.DELETE.S.c|CONSUMER.PAUSE.S.c|CONSUMER.RESET.S.c|CONSUMER.MSG.NEXT.S.c|DIRECT.GET.S|DIRECT.GET.S.s.a|STREAM.LEADER.STEPDOWN.S";
const FIELDS =
  "name|description|subjects|retention|max_consumers|max_msgs|max_bytes|max_age|max_msgs_per_subject|max_msg_size|discard|storage|num_replicas|no_ack|duplicate_window|first_seq|sealed|deny_delete|deny_purge|allow_rollup_hdrs|allow_direct|discard_new_per_subject|consumer_limits|metadata|stream_name|config|action|durable_name|deliver_policy|opt_start_seq|opt_start_time|ack_policy|ack_wait|max_deliver|backoff|filter_subject|filter_subjects|replay_policy|sample_freq|max_waiting|max_ack_pending|flow_control|idle_heartbeat|headers_only|max_batch|max_expires|inactive_threshold|mem_storage|deliver_subject|deliver_group|pause_until|seq|keep|filter|batch|expires|no_wait|no_hdr|last_by_subj|next_by_subj|start_time|multi_last|up_to_seq|up_to_time|deleted_details|subjects_filter|offset|no_erase|delay";
const VALUES =
  '0|-1|1|3|1e9|1e300|1.5|9007199254740991|9223372036854775807|null|true|"s.a"|"s.>"|">"|"S"|"c"|"2026-11-30T00:00:00Z"|"2027-01-15T08:00:00.5Z"|"memory"|"new"|"all"|"none"|"explicit"|"workqueue"|"interest"|"last"|"by_start_time"|"by_start_sequence"|"last_per_subject"|[]|["s.a","s.b"]|[1e300]|{}|[[[[';
const HEADERS =
  "Nats-Msg-Id: 1|Nats-Expected-Stream: S|Nats-Expected-Last-Sequence: 1|Nats-Expected-Last-Msg-Id: 1|Nats-Expected-Last-Subject-Sequence: 1|Nats-Expected-Last-Subject-Sequence-Subject: s.*|Nats-Rollup: sub|Nats-Rollup: all|Nats-Required-Api-Level: 9|Nats-TTL: 1s";
const LINES =
  "s.a hello|s.b x|m.a hello|d.a x|!|!1000000|!10000000000|+1000|+10000|?0|@0 +ACK|@1 -NAK|@0 +NXT 5|@0 +TERM no|@2 +WPI|@0 -NAK {|$JS.FC.S.p.x |$JS.ACK.S.c.1.1.1.1.1 +ACK|$JS.ACK.S.c.1.1e300.1.1.1 ";

export const dictionary = [
  ...API.split("|").flatMap((one) => [`\n$JS.API.${one} `, `\n$JS.API.${one} {}`]),
  ...FIELDS.split("|").flatMap((one) => [`"${one}":`, `{"${one}":`]),
  ...VALUES.split("|").flatMap((one) => [one, `${one},`, `${one}}`]),
  ...HEADERS.split("|").map((one) => `#${one}#`),
  ...LINES.split("|").map((one) => `\n${one}`),
  ..."{|}|[|]|,|:|\n| ".split("|"),
];

const FOLDER = "/js";
const START_MS = 1_800_000_000_000;
const LINES_MAX = 60;
/** Rounds of work that one line may cause: a push consumer may feed its own stream. */
const ROUNDS_MAX = 50;
/** With heartbeats ten times a second. */
const TIME_MAX_MS = 20_000;
const DOWN_MAX_MS = 100 * 24 * 3600 * 1000;

const FIRST = [
  '$JS.API.STREAM.CREATE.S {"name":"S","subjects":["s.>"],"allow_direct":true,"allow_rollup_hdrs":true}',
  '$JS.API.STREAM.CREATE.M {"name":"M","subjects":["m.>"],"storage":"memory","retention":"interest","max_msgs":5}',
  '$JS.API.STREAM.CREATE.W {"name":"W","subjects":["w.>"],"retention":"workqueue","max_msgs_per_subject":2,"discard":"new"}',
  '$JS.API.CONSUMER.CREATE.S.c {"stream_name":"S","config":{"name":"c","durable_name":"c","ack_policy":"explicit","ack_wait":1000000000,"max_deliver":3}}',
  '$JS.API.CONSUMER.CREATE.S.p {"stream_name":"S","config":{"name":"p","durable_name":"p","ack_policy":"all","deliver_subject":"d.p","flow_control":true,"idle_heartbeat":1000000000}}',
  '$JS.API.CONSUMER.CREATE.M.m {"stream_name":"M","config":{"name":"m","durable_name":"m","ack_policy":"none","deliver_subject":"d.m"}}',
  '$JS.API.CONSUMER.CREATE.W.w {"stream_name":"W","config":{"name":"w","durable_name":"w","ack_policy":"explicit"}}',
  "s.a one",
  "s.b #Nats-Msg-Id: 1#two",
  "m.a three",
  "w.a four",
  "$JS.API.CONSUMER.MSG.NEXT.S.c 2",
];

export function fuzz(bytes: Uint8Array): void {
  const world = new World(bytes.length % 2 === 0);
  const lines = Buffer.from(bytes).toString("latin1").split("\n").slice(0, LINES_MAX);
  for (const line of FIRST) world.play(line);
  for (const line of lines) world.play(line);
  world.end();
}

/** Where the answer goes says what it has to be. */
function replyFor(subject: string, payload: string): string {
  if (/^[smwn]\./.test(subject)) return "ack.1";
  if (subject.startsWith("$JS.ACK.")) return payload === "" ? "" : "inbox.1";
  if (!subject.startsWith("$JS.API.") || /^\$JS\.API\.(DIRECT\.|CONSUMER\.MSG\.NEXT\.)/.test(subject))
    return "inbox.1";
  return "api.1";
}

interface Listener {
  readonly subject: string;
  readonly receive: (message: Incoming) => void;
}

class World {
  private readonly clock = new VirtualClock(START_MS);
  private readonly random = seededRandom(1);
  private disk: Disk = new MemoryDisk();
  private older = new Map<string, Buffer>();
  private listeners: Listener[] = [];
  private work: (() => void)[] = [];
  private acks: string[] = [];
  private jetStream: JetStream;
  private readonly isStrict: boolean;

  /** Unknown fields of requests are refused, or passed over. */
  constructor(isStrict: boolean) {
    this.isStrict = isStrict;
    this.jetStream = this.boot();
  }

  play(line: string): void {
    const timeMs = Math.abs(Number(line.slice(1)) || 0);
    if (line.startsWith("+")) this.clock.advance(Math.min(TIME_MAX_MS, timeMs));
    else if (line.startsWith("!")) this.restart(null, Math.min(DOWN_MAX_MS, timeMs));
    else if (line.startsWith("?")) this.restart(Buffer.from(line.slice(1), "latin1"), 0);
    else this.message(line.startsWith("%") ? requestFrom(Buffer.from(line.slice(1), "latin1")) : line);
    this.settle();
    this.check();
  }

  end(): void {
    this.jetStream.stop();
    this.work = [];
    assert(this.clock.timerCount === 0, "no timer is left");
    assert(this.listeners.length === 0, "nobody listens any more");
  }

  private message(line: string): void {
    const space = line.indexOf(" ");
    const named = space < 0 ? line : line.slice(0, space);
    const subject = named.startsWith("@") ? (this.acks.at(Number(named.slice(1)) || 0) ?? "") : named;
    if (!isValidLiteralSubject(subject) || /[\s\0]/.test(subject)) return;
    let payload = space < 0 ? "" : line.slice(space + 1);
    let headers = "";
    for (
      let end = payload.indexOf("#", 1);
      payload.startsWith("#") && end > 0;
      end = payload.indexOf("#", 1)
    ) {
      headers += `${payload.slice(1, end)}\r\n`;
      payload = payload.slice(end + 1);
    }
    if (headers !== "") headers = `NATS/1.0\r\n${headers}\r\n`;
    this.deliver(
      subject,
      replyFor(subject, payload),
      headers.length,
      Buffer.from(headers + payload, "latin1"),
    );
  }

  private deliver(subject: string, reply: string, headerLength: number, body: Uint8Array): void {
    for (const listener of [...this.listeners])
      if (subjectMatches(listener.subject, subject)) listener.receive({ subject, reply, headerLength, body });
  }

  private restart(wounds: Uint8Array | null, downMs: number): void {
    const before = this.older;
    const kept = this.keptNames();
    this.end();
    this.clock.advance(downMs);
    const files = filesBelow(this.disk, FOLDER);
    this.older = files;
    this.disk = diskOf(wounds === null || files.size === 0 ? files : wounded(files, before, wounds, "all"));
    this.jetStream = this.boot();
    const now = new Set(this.keptNames());
    for (const name of wounds === null ? kept : []) assert(now.has(name), `${name} is gone after a restart`);
  }

  /** Streams and consumers that a restart has to bring back. */
  private keptNames(): string[] {
    const streams = [...this.jetStream.accounts.values()].flatMap(({ assets }) => [
      ...assets.streams.values(),
    ]);
    return streams
      .filter(({ stream }) => stream.config.storage === "file")
      .flatMap(({ stream, consumers }) => [
        stream.config.name,
        ...[...consumers.values()]
          .filter(({ config }) => !config.memoryStorage)
          .map(({ name }) => `${stream.config.name} ${name}`),
      ]);
  }

  private boot(): JetStream {
    const jetStream = new JetStream({
      disk: this.disk,
      folder: FOLDER,
      policy: "sync",
      bytesLeft: () => Infinity,
      facts: { level: 4, version: "v", server: "fuzzed", domain: "", isStrict: this.isStrict },
      logger: silentLogger,
      accounts: [{ host: this.host(), limits: NO_LIMITS }],
    });
    jetStream.start();
    return jetStream;
  }

  private host(): AccountHost {
    const { clock, random } = this;
    return {
      name: "A",
      domain: "",
      clock: {
        nowMs: () => clock.nowMs(),
        setTimer: (delayMs, fire) => {
          assert(delayMs >= 0 && delayMs <= TIMER_MAX_MS, `a timer of ${delayMs} ms`);
          return clock.setTimer(delayMs, () => {
            fire();
            this.settle();
          });
        },
      },
      random,
      logger: silentLogger,
      nowNs: () => BigInt(Math.floor(clock.nowMs())) * 1_000_000n,
      send: (message) => this.sent(message),
      sendNumbered: ({ subject, before, number, after }) =>
        this.sent({ subject, reply: "", headers: "", payload: `${before}${number}${after}` }),
      answers: SENT_ANSWERS,
      lane: (subject) => sentLane(subject, () => isAwaited(subject)),
      isAwaited,
      listen: (subject, receive) => {
        const listener = { subject, receive };
        this.listeners.push(listener);
        return { [Symbol.dispose]: () => void this.listeners.splice(this.listeners.indexOf(listener), 1) };
      },
      onInterest: () => {},
      afterwards: (work) => void this.work.push(work),
      soon: (work) => void this.work.push(work),
    };
  }

  private sent({ subject, headers, payload, ...more }: Outgoing): boolean {
    const reply = String(more.reply);
    assert(subject !== "" && !/\s/.test(subject), "a message has a subject");
    assert(headers === "" || /^NATS\/1\.0[^\n]*\r\n[^]*\r\n$/.test(headers), "headers begin and end");
    if (reply.startsWith("$JS.ACK.")) this.acks.push(reply);
    const sent = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
    const text = Buffer.from(sent).toString();
    if (subject === "api.1" || subject.startsWith("$JS.EVENT.")) {
      const { type } = JSON.parse(text) as { type: string };
      assert(type.startsWith("io.nats.jetstream."), "an answer says what it is");
    }
    if (subject === "ack.1")
      assert("stream" in (JSON.parse(text) as object), "a publisher hears of the stream");
    this.work.push(() =>
      this.deliver(subject, reply, headers.length, Buffer.concat([Buffer.from(headers, "latin1"), sent])),
    );
    return true;
  }

  /** The turn ends: what was put off is done. */
  private settle(): void {
    for (let i = 0; i < ROUNDS_MAX && this.work.length > 0; i++)
      for (const work of this.work.splice(0)) work();
  }

  private check(): void {
    for (const { assets } of this.jetStream.accounts.values()) {
      for (const { stream, consumers } of assets.streams.values()) {
        const { store } = stream;
        assert(store.first <= store.last + 1, "first is last + 1 at most");
        assert(Number.isSafeInteger(store.last), "the last sequence is exact");
        assert(store.messages >= 0 && store.bytes >= 0, "messages are counted");
        for (const { state, ahead } of consumers.values()) {
          assert(state.floor.stream <= state.delivered.stream, "the floor does not pass what was delivered");
          assert(
            state.floor.consumer <= state.delivered.consumer,
            "the floor does not pass what was delivered",
          );
          assert(ahead.count >= 0, "what is ahead is counted");
          for (const [sequence, { timeMs }] of state.pending) {
            assert(sequence > state.floor.stream, "what is pending lies above the floor");
            assert(Number.isFinite(timeMs), "a time is a number");
          }
        }
      }
    }
  }
}

function isAwaited(subject: string): boolean {
  return /^(inbox|api|ack|d)\./.test(subject) || subject.startsWith("$JS.EVENT.");
}
