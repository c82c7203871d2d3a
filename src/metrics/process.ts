/** The process and Node.js, under the names that programs of all kinds have for these. */
import type { Family } from "./family.ts";
import type { Look } from "./look.ts";

export const processFamilies: readonly Family[] = [
  common("counter", "process_cpu_user_seconds_total", "Processor time spent in the program.", () => {
    return process.cpuUsage().user / 1e6;
  }),
  common("counter", "process_cpu_system_seconds_total", "Processor time spent in the kernel.", () => {
    return process.cpuUsage().system / 1e6;
  }),
  common("counter", "process_cpu_seconds_total", "Processor time spent.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }),
  common("gauge", "process_start_time_seconds", "When the process was started.", () => {
    return performance.timeOrigin / 1000;
  }),
  common("gauge", "process_resident_memory_bytes", "Resident memory.", () => process.memoryUsage.rss()),
  common("gauge", "process_open_fds", "Open file descriptors.", ({ openFiles }) => openFiles.count),
  common("gauge", "process_max_fds", "Open file descriptors at most.", ({ openFiles }) => openFiles.max),
  common("gauge", "nodejs_heap_size_total_bytes", "Size of the heap.", () => process.memoryUsage().heapTotal),
  common("gauge", "nodejs_heap_size_used_bytes", "Heap in use.", () => process.memoryUsage().heapUsed),
  common(
    "gauge",
    "nodejs_external_memory_bytes",
    "Memory outside of the heap that belongs to objects in it.",
    () => {
      return process.memoryUsage().external;
    },
  ),
  {
    name: "nodejs_version_info",
    prefix: "none",
    type: "gauge",
    help: "Version of Node.js.",
    labels: ["version"],
    samples: () => [[1, process.version]],
  },
];

function common(
  type: "gauge" | "counter",
  name: string,
  help: string,
  value: (look: Look) => number | null,
): Family {
  return {
    name,
    prefix: "none",
    type,
    help,
    labels: [],
    samples: (look) => {
      const figure = value(look);
      return figure === null ? [] : [[figure]];
    },
  };
}
