/** A partition of more than a hundred members: each reads what a hundred others tell of a hundred others. */
import { testPartition } from "./partition.ts";

for (const topology of ["static", "seeds", "discovered"] as const) testPartition(104, topology);
