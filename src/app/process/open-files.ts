/** How many files and sockets the process has open, and may have, where Linux tells. */
import { readFileSync, statSync } from "node:fs";
import type { OpenFiles } from "../../metrics/metrics.ts";

/** Linux gives the number as the size of the folder since 6.2; before, it would take to list them. */
export function openFiles(): OpenFiles {
  try {
    return { count: statSync("/proc/self/fd").size || null, max: maxFiles() };
  } catch {
    return { count: null, max: null }; // not Linux
  }
}

function maxFiles(): number | null {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1")) ?? [];
  return soft === undefined ? null : Number(soft);
}
