/** Partitions of a cluster that is quick to play; partition.slow.test.ts plays one of more than a hundred members. */
import { testPartition } from "./partition.ts";

for (const topology of ["static", "seeds", "discovered"] as const) testPartition(24, topology);
