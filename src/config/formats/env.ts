/**
 * The environment layer. Every option has the name SHOAL__ and its key in capitals, with `__` for each dot:
 * `cluster.ping_interval` is SHOAL__CLUSTER__PING_INTERVAL.
 *
 * Invariant: none of these names is one that Kubernetes sets for a Service, whatever the Service is called. For a Service
 * it sets, in capitals and with `_` for `-`, <NAME>_SERVICE_HOST, <NAME>_SERVICE_PORT, <NAME>_SERVICE_PORT_<PORT NAME>,
 * <NAME>_PORT and <NAME>_PORT_<number>_<protocol>[_PROTO|_PORT|_ADDR]. NAME begins and ends with a letter or digit, so
 * that an underscore before one of these endings stands alone. It follows that SHOAL__PORT and SHOAL__CLUSTER__PORT can be
 * no Service's (the name before _PORT would end with an underscore), but SHOAL__HTTP_PORT could ("shoal--http"): a row
 * whose key ends in `_port` has no name here. A test proves it for every row over all names that the rules allow.
 */
import { assert } from "../../base/assert.ts";
import { collect, type Problems } from "./apply-file.ts";
import type { Environment } from "./file.ts";
import { ConfError } from "./nats-conf/node.ts";
import { ENVIRONMENT_PREFIX, environmentName, type Sheet } from "../option.ts";
import { OPTION_BY_ENV } from "../schema.ts";
import { nearestName } from "../suggest.ts";

/** Names the configuration file, as the flag -c does. */
export const CONFIG_FILE_ENV = environmentName("config");

const NAME = "[A-Z0-9](?:[A-Z0-9_]*[A-Z0-9])?";
const SERVICE_VARIABLE = new RegExp(
  `^${NAME}_(?:SERVICE_HOST|SERVICE_PORT(?:_${NAME})?|PORT(?:_\\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$`,
);

/** Whether Kubernetes could have set a variable of this name for a Service. */
export function isServiceVariable(name: string): boolean {
  return SERVICE_VARIABLE.test(name);
}

assert(
  ![...OPTION_BY_ENV.keys(), CONFIG_FILE_ENV].some(isServiceVariable),
  "no variable of an option is one that Kubernetes sets",
);

/** An empty variable counts as not set: that is how compose files and charts write "nothing". */
export function configFileFromEnv(env: Environment): string | null {
  return env[CONFIG_FILE_ENV] || null;
}

/** In the order of the schema, in which `listen` comes before `host` and `port`. */
export function applyEnv(env: Environment, sheet: Sheet, problems: Problems): void {
  for (const name of Object.keys(env)) collect(problems, () => refuseUnknown(name));
  for (const [name, option] of OPTION_BY_ENV) {
    const text = env[name];
    if (!text) continue;
    collect(problems, () => option.assignEnv(sheet, text, { kind: "env", name }, problems));
  }
}

function refuseUnknown(name: string): void {
  const isOurs = name.startsWith(ENVIRONMENT_PREFIX) && !isServiceVariable(name);
  if (!isOurs || name === CONFIG_FILE_ENV || OPTION_BY_ENV.has(name)) return;
  const near = nearestName(name, [...OPTION_BY_ENV.keys(), CONFIG_FILE_ENV]);
  throw new ConfError(
    null,
    `unknown environment variable ${name}${near === null ? "" : `, expected ${near}`}`,
  );
}
