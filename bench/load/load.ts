#!/usr/bin/env node
/**
 * The load generator from the command line: compiles it when needed, then hands over all arguments.
 *   node bench/load/load.ts --port 4222 --mode pubsub --size 128 --messages 1000000
 */
import { spawnSync } from "node:child_process";
import { buildLoadGenerator } from "./build.ts";

const result = spawnSync(buildLoadGenerator(), process.argv.slice(2), { stdio: "inherit" });
process.exitCode = result.status ?? 1;
