/** Requests to the JetStream API that are mostly well formed, from bytes: the operation, then a field and its value, two for each. */

const OPERATIONS =
  "s:STREAM.CREATE.N|s:STREAM.UPDATE.S|s:STREAM.UPDATE.W|s:STREAM.UPDATE.M|c:CONSUMER.CREATE.S.c|c:CONSUMER.CREATE.S.x|c:CONSUMER.CREATE.S|c:CONSUMER.DURABLE.CREATE.S.c|c:CONSUMER.CREATE.M.y|c:CONSUMER.CREATE.W.z|r:STREAM.INFO.S|r:STREAM.NAMES|r:STREAM.LIST|r:STREAM.PURGE.S|r:STREAM.PURGE.W|r:STREAM.PURGE.M|r:STREAM.MSG.GET.S|r:STREAM.MSG.DELETE.S|r:STREAM.MSG.DELETE.M|r:CONSUMER.LIST.S|r:CONSUMER.NAMES.S|r:CONSUMER.PAUSE.S.c|r:CONSUMER.PAUSE.S.p|r:CONSUMER.RESET.S.c|r:CONSUMER.RESET.S.p|r:CONSUMER.MSG.NEXT.S.c|r:CONSUMER.MSG.NEXT.S.x|r:CONSUMER.MSG.NEXT.W.w|r:DIRECT.GET.S|r:DIRECT.GET.S|r:CONSUMER.INFO.S.c|r:CONSUMER.DELETE.S.x|r:STREAM.DELETE.N|r:INFO".split(
    "|",
  );

/** The letter says what a field holds: a number, a flag, a subject, a list, a time, or words of its own. */
const FIELDS = {
  s: "max_consumers n|max_msgs n|max_bytes n|max_age n|max_msgs_per_subject n|max_msg_size n|duplicate_window n|first_seq n|no_ack f|sealed f|deny_delete f|deny_purge f|allow_rollup_hdrs f|allow_direct f|discard_new_per_subject f|subjects l|retention limits,interest,workqueue|discard old,new|storage file,memory|num_replicas 1,0|description s|metadata o",
  c: "ack_wait n|max_deliver n|opt_start_seq n|max_waiting n|max_ack_pending n|idle_heartbeat n|max_batch n|max_expires n|max_bytes n|inactive_threshold n|backoff b|flow_control f|headers_only f|mem_storage f|filter_subject s|filter_subjects l|deliver_subject s|opt_start_time t|pause_until t|durable_name c,x|ack_policy none,all,explicit|deliver_policy all,last,new,by_start_sequence,by_start_time,last_per_subject|replay_policy instant,original|sample_freq 10,100%|metadata o",
  r: "seq n|keep n|batch n|expires n|max_bytes n|idle_heartbeat n|offset n|up_to_seq n|no_wait f|no_hdr f|no_erase f|deleted_details f|filter s|subject s|last_by_subj s|next_by_subj s|subjects_filter s|multi_last l|start_time t|up_to_time t|pause_until t",
} as const;
const VALUES: Readonly<Record<string, readonly string[]>> = {
  n: "0 1 2 3 10 100 -1 1000 100000000 1000000000 5000000000 9007199254740991 9223372036854775807 1e300 1.5".split(
    " ",
  ),
  f: ["true", "false", "true", "null"],
  s: '"s.a" "s.*" "s.>" ">" "d.x" "m.a" "s..a" "" "w.b" "n.>" "s.\\u0100"'.split(" "),
  l: '["s.a"] ["s.a","s.b"] ["s.>"] [] ["m.>","w.*"] [">"] ["n.>","n.a"] ["d.>"] [1]'.split(" "),
  b: "[100000000] [1,2,3] [1e9,1e12] [] [-1] [9223372036854775807]".split(" "),
  t: '"2027-01-15T08:00:00Z" "2027-01-15T08:00:00.000000001Z" "2027-02-01T00:00:00+01:00" "0001-01-01T00:00:00Z" "9999-12-31T23:59:59Z" "2027-01-15T08:00:05Z" "2027-01" "" "Jan 1 2027 .5"'
    .replace("Jan 1 2027 .5", "Jan_1_2027_.5")
    .split(" "),
  o: '{} {"a":"b"} {"__proto__":"x"} {"_nats.level":"9"}'.split(" "),
};

/** `<subject> <payload>` */
export function requestFrom(codes: Uint8Array): string {
  const [kind, operation] = OPERATIONS[(codes[0] ?? 0) % OPERATIONS.length]!.split(":") as [
    "s" | "c" | "r",
    string,
  ];
  const known = FIELDS[kind].split("|");
  const fields: string[] = [];
  for (let i = 1; i + 1 < codes.length && fields.length < 6; i += 2) {
    const [name, holds] = known[codes[i]! % known.length]!.split(" ") as [string, string];
    const values =
      VALUES[holds] ??
      holds.split(",").map((word) => (/^\d+$/.test(word) && name !== "sample_freq" ? word : `"${word}"`));
    fields.push(`"${name}":${values[codes[i + 1]! % values.length]!}`);
  }
  const names = operation.split(".");
  if (kind === "s") fields.push(`"name":"${names.at(-1)!}"`);
  const body = `{${fields.join(",")}}`;
  const stream = names[names.indexOf("CREATE") + 1]!;
  return `$JS.API.${operation} ${kind === "c" ? `{"stream_name":"${stream}","config":${body}}` : body}`;
}
