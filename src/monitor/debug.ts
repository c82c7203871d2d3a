/** `/debug/vars` and `/stacksz`: facts about the runtime, under Go's names where Go has them. */
import { getHeapStatistics } from "node:v8";
import { JSON_TYPE, type Answer } from "./answer.ts";

/** Without the arguments of the command line, which may hold passwords. */
export function debugVars(): Answer {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  const heap = getHeapStatistics();
  const memory = {
    Alloc: heapUsed,
    Sys: rss,
    HeapAlloc: heapUsed,
    HeapSys: heapTotal,
    HeapIdle: heapTotal - heapUsed,
    HeapInuse: heapUsed,
    OtherSys: external,
    NextGC: heap.heap_size_limit,
    EnableGC: true,
    DebugGC: false,
  };
  const body = `{\n"cmdline": ${JSON.stringify([process.argv0])},\n"memstats": ${JSON.stringify(memory)}\n}\n`;
  return { status: 200, contentType: `${JSON_TYPE}; charset=utf-8`, body: [body] };
}

/** There is one thread, whose stack is empty between two events, so the answer lists what it waits for. */
export function stacksz(): Answer {
  const waitsFor = Map.groupBy(process.getActiveResourcesInfo(), (kind) => kind);
  const lines = [...waitsFor].map(([kind, all]) => `waits for ${kind}: ${all.length}`);
  return { status: 200, contentType: JSON_TYPE, body: [`node ${process.version}\n${lines.join("\n")}\n`] };
}
