/** Which headers of requests ask for their latency to be measured: what nats-server 2.15 makes of them. */
import { describe, expect, it } from "vitest";
import { tracedHeaders, traceHeadersIn } from "../../../src/core/latency-sampling.ts";

it.each([
  [{ "Uber-Trace-Id": "479fefe9525eddb:5adb976bfc1f95c1:479fefe9525eddb:1", "Uberctx-X": "1" }, 2],
  [{ "Uber-Trace-Id": "479fefe9525eddb:5adb976bfc1f95c1:479fefe9525eddb:0" }, null],
  [{ "X-B3-Sampled": "1" }, 1],
  [{ "X-B3-Sampled": "0", "X-B3-Traceid": "a" }, null],
  [{ "X-B3-Traceid": "80f198ee56343ba864fe8b2a57d3eff7" }, 1],
  [{ B3: "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90" }, 1],
  [{ B3: "0" }, null],
  [{ Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Tracestate: "a=b" }, 2],
  [{ Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00" }, null],
  [{ Other: "1" }, null],
])("%o", (fields, count) => {
  const headers = new Map(Object.entries(fields).map(([name, value]) => [name, [value]]));
  const traced = tracedHeaders(headers);
  expect(traced === null ? null : Object.keys(traced).length).toBe(count);
});

describe("headers that may ask for a trace", () => {
  it("are the only ones that anything is kept of", () => {
    const found = traceHeadersIn(
      "NATS/1.0\r\na: 1\r\nX-b3-SAMPLED: 1\r\nb3x: 2\r\nuberctx-Q: 3\r\nUber\r\n\r\n",
    );
    expect([...found]).toEqual([
      ["X-B3-Sampled", ["1"]],
      ["Uberctx-Q", ["3"]],
    ]);
  });

  it("keep a bounded number of values, whatever the length of the block", () => {
    const values = [...traceHeadersIn(`NATS/1.0\r\n${"b3:\r\n".repeat(200_000)}\r\n`).values()];
    expect(values.map(({ length }) => length)).toEqual([1024]);
  });
});
