/** The product's own version; kept equal to package.json by a test. */
export const VERSION = "0.1.0";

export { NATS_LEVEL } from "../../protocol/info.ts";
